package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// standing is a clock that is moved by hand.
type standing struct {
	mu  sync.Mutex
	now time.Time
}

// StartAt starts an empty store whose clock stands at t, in whole milliseconds,
// until Advance moves it: TIME, stream ids, idle times and TTLs all follow it.
// The caller closes it. t is no earlier than 1970.
//
// While the clock stands, ids that Redis makes differ in their second half only,
// and nothing is idle, due or expired that was not so before. The blocking of
// reads (BLOCK) goes by the real clock.
func StartAt(t time.Time) (*Server, error) {
	if t.UnixMilli() < 1 {
		return nil, fmt.Errorf("start embedded store: its clock cannot stand at %v: want a time after 1970", t)
	}
	s := &Server{
		redis: miniredis.NewMiniRedis(), stop: make(chan struct{}),
		stand: &standing{now: time.UnixMilli(t.UnixMilli())},
	}
	// TTLs are looked at by every command; that costs nothing while the clock
	// stands.
	s.redis.SetTime(s.stand.now)
	s.redis.ClockTTL(true)
	if err := s.redis.Start(); err != nil {
		return nil, fmt.Errorf("start embedded store: %w", err)
	}
	s.url = "redis://" + s.redis.Addr()
	return s, nil
}

// Now is the store's clock.
func (s *Server) Now() time.Time {
	if s.stand == nil {
		return time.Now()
	}
	s.stand.mu.Lock()
	defer s.stand.mu.Unlock()
	return s.stand.now
}

// Advance moves the clock of a store that StartAt started.
// The next command that any client sends sees all of it at once: keys whose TTL
// is over are gone, and idle times have grown. A client must not send a bare
// XCLAIM, outside of a script, at the same moment: miniredis reads the clock
// without a lock there.
//
// It panics when d is negative or the clock runs by itself.
func (s *Server) Advance(d time.Duration) {
	switch {
	case s.stand == nil:
		panic("embedded: Advance of a store whose clock runs: start it with StartAt")
	case d < 0:
		panic(fmt.Sprintf("embedded: Advance by %v: a clock does not go back", d))
	}
	s.stand.mu.Lock()
	defer s.stand.mu.Unlock()
	s.stand.now = s.stand.now.Add(d)
	s.redis.SetTime(s.stand.now)
}

package redistest

import (
	"fmt"
	"testing"
	"time"
)

const (
	sentinelMaster   = "mymaster"
	sentinelReplicas = 2
	sentinelCount    = 3
	// sentinelDown is when a sentinel takes a server for dead.
	sentinelDown = 2 * time.Second
)

// RedisSentinel is a master with 2 replicas, watched by 3 sentinels. Its methods end
// the test when they fail, so they are for the test's goroutine.
type RedisSentinel struct {
	t testing.TB
	s *sentinel
}

// Sentinel starts a master, its replicas and their sentinels, none of which persists
// messages; they are stopped when the test ends.
func Sentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	s, err := launchSentinel(findRedis(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	return &RedisSentinel{t: t, s: s}
}

// URL is the redis+sentinel:// URL, with all sentinels.
func (r *RedisSentinel) URL() string { return r.s.url() }

// Servers are the servers. At the beginning the first one is the master.
func (r *RedisSentinel) Servers() []*RedisServer { return r.wrap(r.s.servers) }

// Sentinels are the sentinels.
func (r *RedisSentinel) Sentinels() []*RedisServer { return r.wrap(r.s.sentinels) }

func (r *RedisSentinel) wrap(all []*server) []*RedisServer {
	out := make([]*RedisServer, len(all))
	for i, s := range all {
		out[i] = &RedisServer{t: r.t, s: s}
	}
	return out
}

// Master is the server that most sentinels take for the master.
func (r *RedisSentinel) Master() *RedisServer {
	r.t.Helper()
	s, err := r.s.master()
	if err != nil {
		r.t.Fatal(err)
	}
	return &RedisServer{t: r.t, s: s}
}

// Failover has a replica take over from a master that is well, and waits for it.
func (r *RedisSentinel) Failover() {
	r.t.Helper()
	if err := r.s.failover(); err != nil {
		r.t.Fatal(err)
	}
}

// WaitHealthy waits until the sentinels agree on a master with enough replicas, so
// that they could do without it.
func (r *RedisSentinel) WaitHealthy() {
	r.t.Helper()
	if err := r.s.waitHealthy(); err != nil {
		r.t.Fatal(err)
	}
}

// sentinel is a RedisSentinel without a test to fail.
type sentinel struct{ servers, sentinels []*server }

// setPatience says how long the master may be silent until it is taken for dead.
func (s *sentinel) setPatience(d time.Duration) error {
	for _, one := range s.sentinels {
		if err := do(one, "SENTINEL", "SET", sentinelMaster, "down-after-milliseconds", d.Milliseconds()); err != nil {
			return err
		}
	}
	return nil
}

func (s *sentinel) failover() error {
	before, err := s.master()
	if err != nil {
		return err
	}
	err = waitFor("a sentinel to begin a fail-over", func() error {
		return do(s.sentinels[0], "SENTINEL", "FAILOVER", sentinelMaster)
	})
	if err != nil {
		return err
	}
	return waitFor("a replica to take over", func() error {
		now, err := s.master()
		if err == nil && now == before {
			err = fmt.Errorf("%s still is the master", now.addr())
		}
		return err
	})
}

// empty makes the master as good as new for the next test.
func (s *sentinel) empty() error {
	m, err := s.master()
	if err != nil {
		return err
	}
	return empty(m.addr())
}

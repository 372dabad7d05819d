package embedded

import (
	"testing"
	"time"
)

// While the clock is held up for longer than a key is to live, the key is not taken
// for an old one.
func TestLateStepDoesNotEndWhatIsNew(t *testing.T) {
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const held, life = time.Second, 800 * time.Millisecond
	s.redis.Lock()
	begin := time.Now()
	time.Sleep(held)
	s.redis.Unlock()
	if err := s.redis.Set("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.redis.SetTTL("k", life)
	set := time.Now()
	for s.redis.Exists("k") {
		time.Sleep(time.Millisecond)
	}
	if lived := time.Since(set); lived < life/2 {
		t.Errorf("it lived for %v of %v, after %v", lived, life, time.Since(begin))
	}
}

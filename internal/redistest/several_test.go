package redistest

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestClusterChangesAndKeepsItsKeys(t *testing.T) {
	t.Parallel()
	c := Cluster(t)
	rdb := Client(t, c.URL())
	key := func(i int) string { return fmt.Sprint("k{", i, "}") }
	for i := range 100 {
		if err := rdb.Set(t.Context(), key(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	before, calls := c.Master(key(1)).Addr(), 0
	c.Move(key(1), func() { calls++ })
	if now := c.Master(key(1)).Addr(); now == before || calls != 2 {
		t.Errorf("the slot was at %s, is at %s, in %d calls", before, now, calls)
	}
	before = c.Master(key(2)).Addr()
	c.Failover(key(2))
	if c.Master(key(2)).Addr() == before {
		t.Error("the master is still the same")
	}
	c.WaitHealthy()
	for i := range 100 {
		if got, err := rdb.Get(t.Context(), key(i)).Int(); err != nil || got != i {
			t.Fatal(i, got, err)
		}
	}
	if n := len(rdb.Keys(t.Context(), "*").Val()); n != 100 {
		t.Errorf("%d keys on all masters", n)
	}
	if err := rdb.FlushAll(t.Context()).Err(); err != nil || len(rdb.Keys(t.Context(), "*").Val()) != 0 {
		t.Errorf("not all masters were flushed: %v", err)
	}
}

func TestSentinelsChangeTheMaster(t *testing.T) {
	t.Parallel()
	s := Sentinel(t)
	before := s.Master().Addr()
	s.Failover()
	if s.Master().Addr() == before {
		t.Error("the master is still the same")
	}
	s.WaitHealthy()
	if err := Client(t, s.URL()).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
}

func TestForEachStoreByName(t *testing.T) {
	findRedis(t)
	t.Setenv(storesEnv, "cluster,sentinel")
	for range 2 {
		ForEachStore(t, func(t *testing.T, url string) {
			c := Client(t, url)
			if keys, err := c.Keys(t.Context(), "*").Result(); err != nil || len(keys) != 0 {
				t.Errorf("%v, %v", keys, err)
			}
			for i := range 20 {
				if err := c.Set(t.Context(), fmt.Sprint(i), "v", 0).Err(); err != nil {
					t.Error(err)
				}
			}
			if err := redis.NewScript("return 1").Load(t.Context(), c).Err(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Setenv(storesEnv, "embedded,floppy")
	if _, err := stores(); err == nil {
		t.Error("an unknown store is accepted")
	}
}

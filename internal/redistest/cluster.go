package redistest

import (
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	masters = 3
	// nodeTimeout is when the nodes of a cluster take one of them for dead. Shorter
	// ones have a loaded machine fail over by itself.
	nodeTimeout = 2 * time.Second
)

// RedisCluster is a Redis Cluster of 3 masters and a replica of each. Its methods
// end the test when they fail, so they are for the test's goroutine.
type RedisCluster struct {
	t testing.TB
	c *cluster
}

// Cluster starts a Redis Cluster that persists nothing but who is who, and is
// stopped when the test ends.
func Cluster(t testing.TB) *RedisCluster {
	t.Helper()
	c, err := launchCluster(findRedis(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return &RedisCluster{t: t, c: c}
}

// URL is the cluster's redis+cluster:// URL, with all its nodes.
func (r *RedisCluster) URL() string { return r.c.url() }

// Nodes are all nodes. At the beginning the first three are the masters, with a
// third of the slots each, and the fourth is the first one's replica.
func (r *RedisCluster) Nodes() []*RedisServer {
	nodes := make([]*RedisServer, len(r.c.nodes))
	for i, s := range r.c.nodes {
		nodes[i] = &RedisServer{t: r.t, s: s}
	}
	return nodes
}

// Master is the master that a key belongs to now.
func (r *RedisCluster) Master(key string) *RedisServer {
	r.t.Helper()
	s, _, err := r.c.owner(store.Slot(key))
	if err != nil {
		r.t.Fatal(err)
	}
	return &RedisServer{t: r.t, s: s}
}

// Failover has the replica of a key's master take over, in order, and waits for it.
func (r *RedisCluster) Failover(key string) {
	r.t.Helper()
	if err := r.c.failover(store.Slot(key)); err != nil {
		r.t.Fatal(err)
	}
}

// Move moves the slot of a key, with the keys in it, to another master. Between two
// of them each calls during, if there is one: the slot is in two places then.
func (r *RedisCluster) Move(key string, during func()) {
	r.t.Helper()
	if err := r.c.move(store.Slot(key), during); err != nil {
		r.t.Fatal(err)
	}
}

// WaitHealthy waits until all nodes that run agree that all is well: each slot has a
// master and each master a replica.
func (r *RedisCluster) WaitHealthy() {
	r.t.Helper()
	if err := r.c.waitHealthy(); err != nil {
		r.t.Fatal(err)
	}
}

// cluster is a RedisCluster without a test to fail.
type cluster struct{ nodes []*server }

// setPatience says how long a node may be silent until the others take it for dead.
func (c *cluster) setPatience(d time.Duration) error {
	for _, n := range c.nodes {
		if err := do(n, "CONFIG", "SET", "cluster-node-timeout", d.Milliseconds()); err != nil {
			return err
		}
	}
	return nil
}

// empty makes the cluster as good as new for the next test.
func (c *cluster) empty() error {
	for _, n := range c.nodes[:masters] {
		if err := empty(n.addr()); err != nil {
			return err
		}
	}
	return nil
}

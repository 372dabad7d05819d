package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

func launchCluster(binary, dir string) (_ *cluster, err error) {
	c := &cluster{}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	for i := range 2 * masters {
		s, err := launchNode(binary, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, s)
	}
	return c, c.form()
}

// launchNode tries other ports for the cluster bus if somebody has got one of them.
func launchNode(binary, dir string) (*server, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		bus, err := freePort()
		if err != nil {
			return nil, err
		}
		s, err := launch(binary, dir, []string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
			"--cluster-node-timeout", strconv.FormatInt(nodeTimeout.Milliseconds(), 10),
			"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
			"--repl-ping-replica-period", "1",
		}, freePort)
		if err == nil || !errors.Is(err, errPortTaken) || tries == 5 {
			return s, err
		}
	}
}

// form makes the nodes a cluster.
func (c *cluster) form() error {
	for i, n := range c.nodes {
		if err := do(n, "CLUSTER", "SET-CONFIG-EPOCH", i+1); err != nil {
			return err
		}
		if i < masters {
			from, to := i*store.Slots/masters, (i+1)*store.Slots/masters-1
			if err := do(n, "CLUSTER", "ADDSLOTSRANGE", from, to); err != nil {
				return err
			}
		}
		bus := n.args[slices.Index(n.args, "--cluster-port")+1]
		if err := do(c.nodes[0], "CLUSTER", "MEET", "127.0.0.1", n.port, bus); err != nil {
			return err
		}
	}
	for i := masters; i < len(c.nodes); i++ {
		id, err := c.nodes[i-masters].text("CLUSTER", "MYID")
		if err != nil {
			return err
		}
		err = waitFor("a replica to know its master", func() error {
			return do(c.nodes[i], "CLUSTER", "REPLICATE", id)
		})
		if err != nil {
			return err
		}
	}
	return c.waitHealthy()
}

// setPatience says how long a node may be silent until the others take it for dead.
func (c *cluster) setPatience(d time.Duration) error {
	for _, n := range c.nodes {
		if err := do(n, "CONFIG", "SET", "cluster-node-timeout", d.Milliseconds()); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) waitHealthy() error { return waitFor("the cluster to be well", c.healthy) }

// healthy asks every node that runs.
func (c *cluster) healthy() error {
	running := 0
	for _, n := range c.nodes {
		if n.running() {
			running++
		}
	}
	for _, n := range c.nodes {
		if !n.running() {
			continue
		}
		info, err := n.text("CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(len(c.nodes))) {
			return fmt.Errorf("%s: %s", n.addr(), strings.Join(strings.Fields(info)[:6], " "))
		}
		slots, err := n.slots()
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, s := range slots {
			for _, node := range s.Nodes {
				known[node.Addr] = true
			}
		}
		if len(known) < running {
			return fmt.Errorf("%s knows %d of %d nodes in their roles", n.addr(), len(known), running)
		}
		role, err := n.text("INFO", "replication")
		if err != nil {
			return err
		}
		if strings.Contains(role, "role:slave") && !strings.Contains(role, "master_link_status:up") {
			return fmt.Errorf("%s is not in step with its master", n.addr())
		}
	}
	return nil
}

// owner is the master of a slot, and its replica if it has one.
func (c *cluster) owner(slot int) (master, replica *server, err error) {
	for _, n := range c.nodes {
		if !n.running() {
			continue
		}
		slots, err := n.slots()
		if err != nil {
			continue
		}
		for _, s := range slots {
			if slot < s.Start || slot > s.End {
				continue
			}
			for i, node := range s.Nodes {
				if i == 0 {
					master = c.byAddr(node.Addr)
				} else if found := c.byAddr(node.Addr); found != nil && found.running() {
					replica = found
				}
			}
		}
		if master != nil {
			return master, replica, nil
		}
	}
	return nil, nil, fmt.Errorf("no master has slot %d", slot)
}

func (c *cluster) byAddr(addr string) *server {
	for _, n := range c.nodes {
		if n.addr() == addr {
			return n
		}
	}
	return nil
}

func (c *cluster) failover(slot int) error {
	master, replica, err := c.owner(slot)
	if err != nil {
		return err
	}
	if replica == nil {
		return fmt.Errorf("%s has no replica that runs", master.addr())
	}
	var asked time.Time
	return waitFor("the replica to take over", func() error {
		now, _, err := c.owner(slot)
		if err != nil || now == replica {
			return err
		}
		// The other masters do not vote for another replica of the same master soon
		// after they did, and a replica that is not elected within 5 s gives up.
		if time.Since(asked) > 2*nodeTimeout {
			asked = time.Now()
			if err := do(replica, "CLUSTER", "FAILOVER"); err != nil {
				return err
			}
		}
		return fmt.Errorf("%s still is the master", now.addr())
	})
}

// move does what redis-cli --cluster reshard does for one slot.
func (c *cluster) move(slot int, during func()) error {
	from, _, err := c.owner(slot)
	if err != nil {
		return err
	}
	var to *server
	for other := range store.Slots {
		if to, _, err = c.owner(other * 97 % store.Slots); err != nil {
			return err
		}
		if to != from {
			break
		}
	}
	fromID, err := from.text("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	toID, err := to.text("CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if err := do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID); err != nil {
		return err
	}
	if err := do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID); err != nil {
		return err
	}
	for {
		var keys []string
		err := from.with(func(ctx context.Context, c *redis.Client) (err error) {
			keys, err = c.ClusterGetKeysInSlot(ctx, slot, 1).Result()
			return err
		})
		if err != nil {
			return err
		}
		if during != nil {
			during()
		}
		if len(keys) == 0 {
			break
		}
		if err := do(from, "MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", keys[0]); err != nil {
			return err
		}
	}
	for _, n := range []*server{to, from} { // the new one first, so that it is owned by one at least
		if err := do(n, "CLUSTER", "SETSLOT", slot, "NODE", toID); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) url() string {
	url := "redis+cluster://" + c.nodes[0].addr()
	and := "?"
	for _, n := range c.nodes[1:] {
		url += and + "addr=" + n.addr()
		and = "&"
	}
	return url
}

func (c *cluster) running() bool {
	return !slices.ContainsFunc(c.nodes, func(s *server) bool { return !s.running() })
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

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.kill() // there is nothing to save
	}
}

package redistest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/leanmq/leanmq/internal/store"
)

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

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.kill() // there is nothing to save
	}
}

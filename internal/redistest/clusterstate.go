package redistest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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

package store

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// reloadPause is how long what was learned of the cluster counts as new.
const reloadPause = 50 * time.Millisecond

// reload asks the cluster who owns which slot. Those who come while somebody asks,
// or just has asked, share the answer.
func (c *cluster) reload(ctx context.Context) error {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	if time.Since(c.reloaded) < reloadPause {
		return c.reloadErr
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	c.reloadErr = c.askAround(ctx)
	c.reloaded = time.Now()
	return c.reloadErr
}

func (c *cluster) askAround(ctx context.Context) error {
	var firstErr error
	for _, addr := range c.known() {
		slots, err := c.ask(ctx, addr)
		if err == nil {
			err = c.learn(addr, slots)
		}
		if err == nil {
			return nil
		}
		if firstErr == nil {
			firstErr = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return firstErr
}

// known are the addresses to ask, those that answered the last command first.
func (c *cluster) known() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var well, suspect []string
	for addr, n := range c.nodes {
		if n.suspect.Load() {
			suspect = append(suspect, addr)
		} else {
			well = append(well, addr)
		}
	}
	all := slices.Concat(well, c.replicas, c.seeds, suspect)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(addr string) bool {
		was := seen[addr]
		seen[addr] = true
		return was
	})
}

// ask asks one server, over a connection of its own: the others may be waiting for
// replies that do not come.
func (c *cluster) ask(ctx context.Context, addr string) ([]redis.ClusterSlot, error) {
	opts := c.opts
	opts.Addr = addr
	opts.PoolSize = 1
	opts.DialTimeout = askTimeout
	opts.ReadTimeout = askTimeout
	rdb := redis.NewClient(&opts)
	defer func() { _ = rdb.Close() }()
	return rdb.ClusterSlots(ctx).Result()
}

// askTimeout bounds the wait for one server's view: another one may know better.
const askTimeout = time.Second

// learn takes over what the server at origin said.
func (c *cluster) learn(origin string, slots []redis.ClusterSlot) error {
	if len(slots) == 0 {
		return fmt.Errorf("%w: no slot of the cluster has an owner", ErrUnavailable)
	}
	masters := map[string]bool{}
	var owners [Slots]*node
	var replicas []string
	for _, s := range slots {
		for i, n := range s.Nodes {
			addr := reachable(n.Addr, origin)
			if i > 0 {
				if !slices.Contains(replicas, addr) {
					replicas = append(replicas, addr)
				}
				continue
			}
			masters[addr] = true
			owner, err := c.node(addr)
			if err != nil {
				return err
			}
			for slot := max(s.Start, 0); slot <= min(s.End, Slots-1); slot++ {
				owners[slot] = owner
			}
		}
	}
	for slot, owner := range owners {
		c.owner[slot].Store(owner)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replicas = replicas
	for addr, n := range c.nodes {
		n.suspect.Store(false) // if it still fails, the next command finds out
		if !masters[addr] {
			c.retireLocked(n)
		}
	}
	return nil
}

// reachable is how a server that calls itself addr is reached from here, where
// origin is the address of the one that said so: without a host it is origin's, and
// a loopback address means origin's host as well.
func reachable(addr, origin string) string {
	host, port, err := net.SplitHostPort(addr)
	originHost, originPort, oerr := net.SplitHostPort(origin)
	if err != nil || oerr != nil {
		return addr
	}
	if port == "0" { // of a cluster that is reached with TLS only
		port = originPort
	}
	if host == "" || host == "?" || isLoopback(host) && !isLoopback(originHost) {
		host = originHost
	}
	return net.JoinHostPort(host, port)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

package redistest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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

func launchSentinel(binary, dir string) (_ *sentinel, err error) {
	s := &sentinel{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for i := range 1 + sentinelReplicas {
		args := []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}
		if i > 0 {
			args = append(args, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.servers[0].port))
		}
		// A configuration file, because sentinels write down who is who.
		home := filepath.Join(dir, "server"+strconv.Itoa(i))
		if err := os.Mkdir(home, 0o700); err != nil {
			return nil, err
		}
		one, err := launch(binary, home, args, freePort)
		if err != nil {
			return nil, err
		}
		s.servers = append(s.servers, one)
	}
	if err := waitFor("the replicas to be in step", s.inStep); err != nil {
		return nil, err
	}
	for tries := range 5 {
		home := filepath.Join(dir, "sentinels"+strconv.Itoa(tries))
		if err = s.launchSentinels(binary, home); !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, s.waitHealthy()
}

// launchSentinels starts sentinels that know each other from the beginning: to find
// each other takes them seconds. So all ports are chosen before the first one starts,
// and somebody may have got one of them until its own does.
func (s *sentinel) launchSentinels(binary, dir string) (err error) {
	defer func() {
		if err != nil {
			for _, one := range s.sentinels {
				one.kill()
			}
			s.sentinels = nil
		}
	}()
	var ports []int
	var ids []string
	for range sentinelCount {
		port, err := freePort()
		if err != nil {
			return err
		}
		id := make([]byte, 20)
		_, _ = rand.Read(id)
		ports, ids = append(ports, port), append(ids, hex.EncodeToString(id))
	}
	for i := range ports {
		home := filepath.Join(dir, "sentinel"+strconv.Itoa(i))
		if err := os.MkdirAll(home, 0o700); err != nil {
			return err
		}
		text := fmt.Sprintf("bind 127.0.0.1\nport %d\ndir %s\nsentinel myid %s\n"+
			"sentinel monitor %s 127.0.0.1 %d 2\nsentinel down-after-milliseconds %[4]s %[6]d\n"+
			"sentinel failover-timeout %[4]s 10000\n",
			ports[i], home, ids[i], sentinelMaster, s.servers[0].port, sentinelDown.Milliseconds())
		for j := range ports {
			if j != i {
				text += fmt.Sprintf("sentinel known-sentinel %s 127.0.0.1 %d %s\n", sentinelMaster, ports[j], ids[j])
			}
		}
		config := filepath.Join(home, "sentinel.conf")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return err
		}
		one := &server{binary: binary, dir: home, config: config, port: ports[i]}
		if err := one.start(); err != nil {
			return err
		}
		s.sentinels = append(s.sentinels, one)
	}
	return nil
}

// setPatience says how long the master may be silent until it is taken for dead.
func (s *sentinel) setPatience(d time.Duration) error {
	for _, one := range s.sentinels {
		if err := do(one, "SENTINEL", "SET", sentinelMaster, "down-after-milliseconds", d.Milliseconds()); err != nil {
			return err
		}
	}
	return nil
}

func (s *sentinel) waitHealthy() error {
	return waitFor("the sentinels to agree", func() error {
		if err := s.inStep(); err != nil {
			return err
		}
		for _, one := range s.sentinels {
			if !one.running() {
				continue
			}
			var m map[string]string
			err := one.with(func(ctx context.Context, c *redis.Client) (err error) {
				cmd := redis.NewMapStringStringCmd(ctx, "SENTINEL", "MASTER", sentinelMaster)
				_ = c.Process(ctx, cmd)
				m, err = cmd.Result()
				return err
			})
			if err != nil {
				return err
			}
			replicas, _ := strconv.Atoi(m["num-slaves"])
			others, _ := strconv.Atoi(m["num-other-sentinels"])
			if m["flags"] != "master" || replicas < 1 || others < sentinelCount-1 {
				return fmt.Errorf("%s: a %s with %d replicas, and %d other sentinels", one.addr(), m["flags"], replicas, others)
			}
		}
		return nil
	})
}

// inStep looks at the replicas that run.
func (s *sentinel) inStep() error {
	masters := 0
	for _, one := range s.servers {
		if !one.running() {
			continue
		}
		info, err := one.text("INFO", "replication")
		if err != nil {
			return err
		}
		if strings.Contains(info, "role:master") {
			masters++
		} else if !strings.Contains(info, "master_link_status:up") {
			return fmt.Errorf("%s is not in step with its master", one.addr())
		}
	}
	if masters != 1 {
		return fmt.Errorf("there are %d masters", masters)
	}
	return nil
}

// master is whom the sentinels that run name, all of them.
func (s *sentinel) master() (*server, error) {
	var named *server
	for _, one := range s.sentinels {
		if !one.running() {
			continue
		}
		addr := ""
		err := one.with(func(ctx context.Context, c *redis.Client) error {
			found, err := redis.NewSentinelClient(c.Options()).GetMasterAddrByName(ctx, sentinelMaster).Result()
			addr = strings.Join(found, ":")
			return err
		})
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(s.servers, func(m *server) bool { return m.addr() == addr })
		if at < 0 || named != nil && named != s.servers[at] {
			return nil, fmt.Errorf("%s names %s", one.addr(), addr)
		}
		named = s.servers[at]
	}
	if named == nil {
		return nil, fmt.Errorf("no sentinel runs")
	}
	return named, nil
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

func (s *sentinel) url() string {
	url := "redis+sentinel://" + s.sentinels[0].addr() + "?master_name=" + sentinelMaster
	for _, one := range s.sentinels[1:] {
		url += "&addr=" + one.addr()
	}
	return url
}

func (s *sentinel) running() bool {
	return !slices.ContainsFunc(slices.Concat(s.servers, s.sentinels), func(s *server) bool { return !s.running() })
}

// empty makes the master as good as new for the next test.
func (s *sentinel) empty() error {
	m, err := s.master()
	if err != nil {
		return err
	}
	return empty(m.addr())
}

func (s *sentinel) stop() {
	for _, one := range slices.Concat(s.sentinels, s.servers) {
		one.kill()
	}
}

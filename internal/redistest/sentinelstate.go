package redistest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

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

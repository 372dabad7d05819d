package redistest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Dialer makes connections.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// Client is a client of go-redis for the URL of any store: a second pair of eyes
// that knows nothing of LeanMQ. It is closed when the test ends.
func Client(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	c := ClientBy(t, url, nil)
	if cluster, ok := c.(*redis.ClusterClient); ok {
		return allMasters{cluster}
	}
	return c
}

// ClientBy is a client as leanmq.New takes one, with connections of another maker if
// dial is not nil.
func ClientBy(t testing.TB, url string, dial Dialer) redis.UniversalClient {
	t.Helper()
	c, err := client(url, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func client(url string, dial Dialer) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	switch scheme {
	case "redis+cluster":
		opts, err := redis.ParseClusterURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		opts.Dialer = dial
		return redis.NewClusterClient(opts), nil
	case "redis+sentinel":
		opts, err := redis.ParseFailoverURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		opts.Dialer, opts.MaxRetries = dial, -1
		return redis.NewFailoverClient(opts), nil
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opts.Dialer, opts.MaxRetries = dial, -1
	return redis.NewClient(opts), nil
}

// Holder is the client of the server that has a key: c, or of a cluster its master.
func Holder(ctx context.Context, c redis.UniversalClient, key string) (redis.UniversalClient, error) {
	if cluster, ok := c.(allMasters); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return c, nil
}

// allMasters is a client of a cluster that takes all of it for one server, where
// go-redis asks only some master.
type allMasters struct{ *redis.ClusterClient }

func (c allMasters) FlushAll(ctx context.Context) *redis.StatusCmd {
	cmd := redis.NewStatusCmd(ctx, "FLUSHALL")
	cmd.SetErr(c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error { return m.FlushAll(ctx).Err() }))
	return cmd
}

func (c allMasters) Keys(ctx context.Context, pattern string) *redis.StringSliceCmd {
	cmd := redis.NewStringSliceCmd(ctx, "KEYS", pattern)
	var mu sync.Mutex
	var all []string
	cmd.SetErr(c.ForEachMaster(ctx, func(ctx context.Context, m *redis.Client) error {
		some, err := m.Keys(ctx, pattern).Result()
		mu.Lock()
		defer mu.Unlock()
		all = append(all, some...)
		return err
	}))
	cmd.SetVal(all)
	return cmd
}

package redistest

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Client is a client of go-redis for the URL of any store: a second pair of eyes
// that knows nothing of LeanMQ. It is closed when the test ends.
func Client(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	c, err := client(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func client(url string) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	switch scheme {
	case "redis+cluster":
		opts, err := redis.ParseClusterURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		return redis.NewClusterClient(opts), nil
	case "redis+sentinel":
		opts, err := redis.ParseFailoverURL("redis://" + rest)
		if err != nil {
			return nil, err
		}
		opts.MaxRetries = -1
		return redis.NewFailoverClient(opts), nil
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opts.MaxRetries = -1
	return redis.NewClient(opts), nil
}

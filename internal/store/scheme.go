package store

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Opener finds or starts the server that a URL of its own scheme means. It
// returns a URL that go-redis understands, and what to call when the client is
// closed.
type Opener func(ctx context.Context, u *url.URL) (redisURL string, release func() error, err error)

var (
	schemesMu sync.Mutex
	schemes   = map[string]Opener{}
)

var redisSchemes = []string{
	"redis", "rediss", "unix", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel",
}

// RegisterScheme makes Open accept URLs of a further scheme.
func RegisterScheme(scheme string, open Opener) {
	schemesMu.Lock()
	defer schemesMu.Unlock()
	schemes[scheme] = open
}

// resolve turns a URL of a registered scheme into a Redis one.
func resolve(ctx context.Context, raw string) (redisURL string, release func() error, err error) {
	nothing := func() error { return nil }
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok {
		return "", nil, &URLError{Reason: "it has no scheme: write redis://host:6379"}
	}
	schemesMu.Lock()
	open := schemes[scheme]
	more := slices.Sorted(maps.Keys(schemes))
	schemesMu.Unlock()
	switch {
	case slices.Contains(redisSchemes, scheme):
		return raw, nothing, nil
	case open == nil && scheme == "mem":
		return "", nil, &URLError{Reason: `the embedded store is not linked in: import _ "github.com/leanmq/leanmq/leanmq/embedded"`}
	case open == nil:
		return "", nil, &URLError{Reason: fmt.Sprintf("unknown scheme %q: use %s",
			scheme, strings.Join(slices.Concat(redisSchemes, more), ", "))}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", nil, &URLError{Reason: "it cannot be parsed"}
	}
	return open(ctx, u)
}

// URLError says what is wrong with a URL, without repeating it: it may hold a
// password.
type URLError struct{ Reason string }

func (e *URLError) Error() string { return "redis URL: " + e.Reason }

// urlReason says why go-redis refuses a URL. Its own error may repeat parts of it,
// and so the password.
func urlReason(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "it cannot be parsed: want redis://user:password@host:6379/0"
	}
	if db := strings.Trim(u.Path, "/"); u.Scheme != "unix" && db != "" {
		if _, err := strconv.Atoi(db); err != nil {
			return "its path is no database number: want redis://host:6379/0"
		}
	}
	return "its query has an option that is unknown or a value that is malformed"
}

package gateway

import (
	"errors"
	"testing"

	"github.com/leanmq/leanmq/leanmq"
)

func TestTargetOfARequest(t *testing.T) {
	for _, c := range []struct{ given, target, method, path string }{
		{"/a", "POST /a", "POST", "/a"},
		{"/", "POST /", "POST", "/"},
		{"/a?x=1", "POST /a?x=1", "POST", "/a"},
		{"/a?", "POST /a", "POST", "/a"},
		{"/a?x=1?", "POST /a?x=1?", "POST", "/a"},
		{"/a??", "POST /a??", "POST", "/a"},
		{"/a%20b?x=a b", "POST /a%20b?x=a b", "POST", "/a%20b"},
		{"GET /a", "GET /a", "GET", "/a"},
		{"GET /a/b?x=/c", "GET /a/b?x=/c", "GET", "/a/b"},
		{"GET /a?", "GET /a", "GET", "/a"},
	} {
		var got call
		if err := got.setTarget(c.given); err != nil || got.target != c.target || got.method != c.method || got.path != c.path {
			t.Errorf("%q: target %q, method %q, path %q, %v", c.given, got.target, got.method, got.path, err)
		}
	}
	for _, bad := range []string{"", "a", "GET", "?x=1", "GET orders", "POST  /a", "GET ?x=/a"} {
		if err := new(call).setTarget(bad); !errors.Is(err, leanmq.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

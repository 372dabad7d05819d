package webhook

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// newTree returns a tree in which each pattern has itself as its value.
func newTree(tb testing.TB, patterns ...string) *tree[string] {
	tb.Helper()
	var t tree[string]
	for _, s := range patterns {
		if err := t.add(mustParse(tb, s), s); err != nil {
			tb.Fatal(err)
		}
	}
	return &t
}

func TestTreeZero(t *testing.T) {
	var tr tree[int]
	if _, _, ok := tr.match("GET", "/"); ok {
		t.Error("the zero tree matches")
	}
	if ms := tr.methods("/"); ms != nil {
		t.Errorf("the zero tree has methods %q", ms)
	}
}

func TestTreeConflict(t *testing.T) {
	tr := newTree(t, "/a/{x}", "/{y}/c/d", "GET /e", "/f/{x}/g")
	for _, tt := range []struct{ pattern, old string }{
		{"/a/{z}/", "/a/{x}"},
		{"GET /e", "GET /e"},
		{"/{x}/b", "/a/{x}"},
		{"/a/{rest...}", "/{y}/c/d"},
		{"POST /{rest...}", "/a/{x}"},
		{"/{rest...}", ""},
		{"/e", ""},
		{"GET /{x}/{y}/{z}", "/f/{x}/g"}, // and with /{y}/c/d: always the same one is named
	} {
		err := tr.add(mustParse(t, tt.pattern), tt.pattern)
		if tt.old == "" {
			if err != nil {
				t.Errorf("add(%q): %v", tt.pattern, err)
			}
			continue
		}
		var ce *ConflictError
		if !errors.As(err, &ce) {
			t.Errorf("add(%q): %v, want a conflict with %q", tt.pattern, err, tt.old)
			continue
		}
		p := mustParse(t, tt.pattern)
		if ce.New != p.String() || ce.Old != tt.old || ce.Why != conflict(p, mustParse(t, tt.old)) {
			t.Errorf("add(%q): %#v, want a conflict with %q", tt.pattern, ce, tt.old)
		}
		if text := err.Error(); !strings.Contains(text, ce.New) || !strings.Contains(text, ce.Old) || !strings.Contains(text, ce.Why) {
			t.Errorf("add(%q): the error text lacks something: %s", tt.pattern, text)
		}
	}
	if v, _, _ := tr.match("", "/z/b"); v != "/{rest...}" {
		t.Errorf("a refused pattern left its mark: /z/b matches %q", v)
	}
}

func BenchmarkTreeAdd(b *testing.B) {
	patterns := make([]*pattern, 10_000)
	for i := range patterns {
		patterns[i] = mustParse(b, fmt.Sprintf("/svc%d/{id}/action%d", i%100, i/100))
	}
	for b.Loop() {
		var tr tree[int]
		for i, p := range patterns {
			if err := tr.add(p, i); err != nil {
				b.Fatal(err)
			}
		}
	}
}

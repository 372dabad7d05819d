package webhook

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

func TestPatternRelate(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want relation
	}{
		{"/", "/", equivalent},
		{"/a", "/a/", equivalent},
		{"/{x}", "/{y}", equivalent},
		{"/{x...}", "/{y...}", equivalent},
		{"/a%41", "/aA", equivalent},
		{"/", "/a", disjoint},
		{"/a", "/b", disjoint},
		{"/a", "/a/b", disjoint},
		{"/", "/{x}", disjoint},
		{"/a%2Fb", "/a/b", disjoint},
		{"/a/{rest...}", "/b/{rest...}", disjoint},
		{"/a/{rest...}", "/{x}", overlaps},
		{"/{x}", "/a", moreGeneral},
		{"/{rest...}", "/", moreGeneral},
		{"/{rest...}", "/a/b", moreGeneral},
		{"/{rest...}", "/{x}/{more...}", moreGeneral},
		{"/a/{rest...}", "/a", moreGeneral},
		{"/a/{rest...}", "/a/{x}", moreGeneral},
		{"/{x}/b", "/a/{y}", overlaps},
		{"/{x}/b", "/a/{rest...}", overlaps},
		{"/{x}/b", "/b/{y}/c", disjoint},
		{"/a", "GET /a", moreGeneral},
		{"GET /a", "HEAD /a", moreGeneral},
		{"GET /a", "POST /a", disjoint},
		{"GET /a", "/{x}", moreSpecific},
		{"GET /{x}", "/a", overlaps},
		{"GET /a", "HEAD /{x}", overlaps},
		{"GET /{x}", "HEAD /a", moreGeneral},
	} {
		a, b := mustParse(t, tt.a), mustParse(t, tt.b)
		if got := relate(a, b); got != tt.want {
			t.Errorf("relate(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		back := tt.want
		switch back {
		case moreGeneral:
			back = moreSpecific
		case moreSpecific:
			back = moreGeneral
		}
		if got := relate(b, a); got != back {
			t.Errorf("relate(%q, %q) = %d, want %d", tt.b, tt.a, got, back)
		}
	}
}

func TestPatternConflictText(t *testing.T) {
	const neither = ", but neither is more specific: "
	for _, tt := range []struct{ a, b, want string }{
		{"/a", "/b", ""},
		{"/{x}", "/a", ""},
		{"/orders/{id}", "/orders/{order}", "/orders/{id} and /orders/{order} match the same requests, like /orders/id"},
		{"HEAD /", "HEAD /", "HEAD / and HEAD / match the same requests, like HEAD /"},
		{"/a/{rest...}", "/a/{r...}", "/a/{rest...} and /a/{r...} match the same requests, like /a"},
		{
			"/{x}/b", "/a/{y}",
			"/{x}/b and /a/{y} both match /a/b" + neither + "only the first matches /x/b, only the second /a/y",
		},
		{
			"/{a}/b%2Fc", "/a/{y}",
			"/{a}/b%2Fc and /a/{y} both match /a/b%2Fc" + neither + "only the first matches /ax/b%2Fc, only the second /a/y",
		},
		{
			"/a/{rest...}", "/{x}",
			"/a/{rest...} and /{x} both match /a" + neither + "only the first matches /a/rest, only the second /x",
		},
		{
			"/{x}/b", "/a/{rest...}",
			"/{x}/b and /a/{rest...} both match /a/b" + neither + "only the first matches /x/b, only the second /a",
		},
		{
			"GET /{x}", "/a",
			"GET /{x} and /a both match GET /a" + neither + "only the first matches GET /x, only the second POST /a",
		},
		{
			"POST /{x}", "/a",
			"POST /{x} and /a both match POST /a" + neither + "only the first matches POST /x, only the second GET /a",
		},
		{
			"GET /a", "HEAD /{x}",
			"GET /a and HEAD /{x} both match HEAD /a" + neither + "only the first matches GET /a, only the second HEAD /x",
		},
	} {
		if got := conflict(mustParse(t, tt.a), mustParse(t, tt.b)); got != tt.want {
			t.Errorf("conflict(%q, %q)\n got %q\nwant %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// muxPattern translates a pattern into one of [http.ServeMux] that matches the
// same requests, given that each request path gets a slash at its end.
func muxPattern(p *pattern) string {
	s := p.String()
	if n := len(p.segs); n == 0 {
		return s + "{$}"
	} else if p.segs[n-1].kind == segRest {
		return s
	}
	return s + "/{$}"
}

// muxConflict reports whether ServeMux refuses two patterns together.
func muxConflict(a, b *pattern) (refused bool) {
	defer func() {
		if v := recover(); v != nil {
			if !strings.Contains(fmt.Sprint(v), "conflicts with") {
				panic(v)
			}
			refused = true
		}
	}()
	var mux http.ServeMux
	mux.Handle(muxPattern(a), http.NotFoundHandler())
	mux.Handle(muxPattern(b), http.NotFoundHandler())
	return false
}

func TestPatternConflictLikeServeMux(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	count := make(map[relation]int)
	for range 20_000 {
		a, b := mustParse(t, randomPattern(r)), mustParse(t, randomPattern(r))
		rel := relate(a, b)
		count[rel]++
		why := conflict(a, b)
		if refused := muxConflict(a, b); refused != (why != "") {
			t.Fatalf("conflict(%q, %q) = %q, but ServeMux refuses: %v", a, b, why, refused)
		}
		checkExamples(t, a, b, rel)
	}
	for _, rel := range []relation{equivalent, moreGeneral, moreSpecific, overlaps, disjoint} {
		if count[rel] < 100 {
			t.Errorf("relation %d came up only %d times", rel, count[rel])
		}
	}
}

// checkExamples checks that the requests which explain a relation prove it.
func checkExamples(t *testing.T, a, b *pattern, rel relation) {
	t.Helper()
	check := func(what string, r exampleRequest, matchA, matchB bool) {
		t.Helper()
		if got := accepts(t, a, r); got != matchA {
			t.Fatalf("%s(%q, %q) = %v: the first matches: %v", what, a, b, r, got)
		}
		if got := accepts(t, b, r); got != matchB {
			t.Fatalf("%s(%q, %q) = %v: the second matches: %v", what, a, b, r, got)
		}
	}
	if rel != disjoint {
		check("both", both(a, b), true, true)
	}
	if rel == moreGeneral || rel == overlaps {
		check("onlyFirst", onlyFirst(a, b), true, false)
	}
	if rel == moreSpecific || rel == overlaps {
		check("onlyFirst, swapped", onlyFirst(b, a), false, true)
	}
}

func accepts(t *testing.T, p *pattern, r exampleRequest) bool {
	t.Helper()
	var one tree[bool]
	if err := one.add(p, true); err != nil {
		t.Fatal(err)
	}
	v, _, ok := one.match(r.method, r.path)
	return v && ok
}

package webhook

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/store"
)

func TestEventPaths(t *testing.T) {
	for _, tt := range []struct {
		path         string
		topic, typ   string
		wild, exists bool
	}{
		{"/events/order.created", "events", "order.created", false, true},
		{"/events/order.created/", "events", "order.created", false, true},
		{"/shop/events/paid", "shop/events", "paid", false, true},
		{"/shop%2Fevents/paid", "shop%2Fevents", "paid", false, true},
		{"/caf%C3%A9/paid", "caf%C3%A9", "paid", false, true},
		{"/café/payé", "caf%C3%A9", "payé", false, true},
		{"/a:b/x", "a%3Ab", "x", false, true},
		{"/events/order.*", "events", "order.*", true, true},
		{"/events/#", "events", "#", true, true},
		{"/events/a%2Eb", "events", "a.b", false, true},
		{"/events/order.*", "", "", false, false},
		{"/events/order.#", "", "", false, false},
		{path: ""},
		{path: "/"},
		{path: "events/x"},
		{path: "POST /events/x"},
		{path: "/events"},
		{path: "/events/"},
		{path: "//x"},
		{path: "/a//x"},
		{path: "/events/a..b"},
		{path: "/events/.a"},
		{path: "/events/a b"},
		{path: "/events/a%20b"},
		{path: "/events/a?b=1"},
		{path: "/events/{type}"},
		{path: "/{topic}/x"},
		{path: "/*/x"},
		{path: "/../x"},
		{path: "/a%zz/x"},
		{path: "/events/%zz"},
		{path: "/events/\xff"},
		{path: "/a\xff/x"},
		{path: "/events/a*", wild: true},
		{path: "/events/#a", wild: true},
		{path: "/events/" + strings.Repeat("x", 257)},
		{path: "/" + strings.Repeat("x", 201) + "/y"},
		{path: "/events/" + strings.Repeat("*.", 16) + "*", wild: true},
		{path: strings.Repeat("/x", 300)},
		{path: strings.Repeat("/x", 33)},
	} {
		p, err := parseEventPath(tt.path, tt.wild)
		var bad *PatternError
		switch {
		case tt.exists && (err != nil || p.topicName() != tt.topic || p.typeName() != tt.typ):
			t.Errorf("%q: topic %q, type %q, %v", tt.path, p.topicName(), p.typeName(), err)
		case !tt.exists && (!errors.As(err, &bad) || bad.Pattern != tt.path || bad.Reason == "" || bad.Offset > len(tt.path)):
			t.Errorf("%q: %v, want a PatternError", tt.path, err)
		case tt.exists:
			again, err := parseEventPath(p.String(), tt.wild)
			if err != nil || again.topicName() != tt.topic || again.typeName() != tt.typ {
				t.Errorf("%q reads back from %q as %+v, %v", tt.path, p, again, err)
			}
		}
	}
}

// What relateTypes says of patterns, drawn at random, is what the types show.
func TestRelatedTypes(t *testing.T) {
	var types [][]string
	for n := range 6 {
		for i := range pow(3, n) {
			words := []string{}
			for range n {
				words = append(words, []string{"a", "b", "x"}[i%3])
				i /= 3
			}
			types = append(types, words)
		}
	}
	for range 500 {
		draw := func() (p []string) {
			for range 1 + rand.IntN(4) {
				p = append(p, []string{"a", "b", "*", "#"}[rand.IntN(4)])
			}
			return p
		}
		a, b := draw(), draw()
		var both, first, second bool
		for _, words := range types {
			inA, inB := store.TypeMatches(a, words), store.TypeMatches(b, words)
			both, first, second = both || inA && inB, first || inA && !inB, second || inB && !inA
		}
		ex := relateTypes(a, b)
		// What the types here do not show may be shown by longer ones: then the examples
		// have to be right.
		if both && ex.both == nil || first && ex.first == nil || second && ex.second == nil {
			t.Fatalf("%v and %v: %+v, want both %v, only first %v, only second %v", a, b, ex, both, first, second)
		}
		for _, e := range []struct {
			example  []string
			inA, inB bool
		}{{ex.both, true, true}, {ex.first, true, false}, {ex.second, false, true}} {
			if e.example != nil && (store.TypeMatches(a, e.example) != e.inA || store.TypeMatches(b, e.example) != e.inB) {
				t.Fatalf("%v and %v: the example %v of %+v", a, b, e.example, ex)
			}
		}
	}
}

func pow(b, n int) int {
	out := 1
	for range n {
		out *= b
	}
	return out
}

// Whatever the order of registration, the most specific pattern comes first.
func TestMostSpecificSubscriptionWins(t *testing.T) {
	patterns := []string{"#", "order.#", "order.*", "order.paid", "*.#", "user.#"}
	for range 50 {
		rand.Shuffle(len(patterns), func(i, j int) { patterns[i], patterns[j] = patterns[j], patterns[i] })
		f := &feed{topic: "events", group: "g"}
		for _, p := range patterns {
			f.add(&subscription{path: eventPath{topic: []string{"events"}, words: strings.Split(p, ".")}, route: &route{}})
		}
		for typ, want := range map[string]string{
			"order.paid": "order.paid", "order.new": "order.*", "order": "order.#", "order.a.b": "order.#",
			"user": "user.#", "user.a": "user.#", "other": "*.#", "": "#",
		} {
			if got := f.match(typ); got == nil || got.path.typeName() != want {
				t.Fatalf("%q is handled by %v, want %s, of %v", typ, got, want, patterns)
			}
		}
	}
	if f := (&feed{}); f.match("x") != nil {
		t.Error("a match without subscriptions")
	}
}

package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestRunRefusesAPatternOfAnotherService(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		run(t, answering(webhook.NewService("orders", mq), "/orders/{id}", "GET /report"))
		for _, tt := range []struct{ pattern, existing, why string }{
			{"/orders/{id}", "/orders/{id}", "match the same requests"},
			{"/orders/{order}", "/orders/{id}", "match the same requests"},
			{"GET /report", "GET /report", "match the same requests"},
			{"/{what}/new", "/orders/{id}", "neither is more specific"},
		} {
			rival := answering(webhook.NewService("rival", open(t, url)), "/rival", tt.pattern)
			err := rival.Run(t.Context())
			var taken *webhook.TakenError
			if !errors.As(err, &taken) {
				t.Errorf("%s: %v, want a TakenError", tt.pattern, err)
				continue
			}
			got := [4]string{taken.Pattern, taken.Service, taken.Existing, taken.Owner}
			if want := [4]string{tt.pattern, "rival", tt.existing, "orders"}; got != want || !strings.Contains(taken.Why, tt.why) {
				t.Errorf("%s: %q: %s, want %q: … %s …", tt.pattern, got, taken.Why, want, tt.why)
			}
			for _, part := range append(got[:], taken.Why, `if "orders" has given that up`, "webhook.RemoveRoute") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not name %q: %v", part, err)
				}
			}
			select {
			case <-rival.Ready():
				t.Errorf("%s: the rival is ready", tt.pattern)
			default:
			}
			if routes := patterns(t, mq); !slices.Equal(routes, []string{"orders /orders/{id}", "orders GET /report"}) {
				t.Errorf("%s: the route table has %q", tt.pattern, routes)
			}
		}
		// What does not conflict may be beside it.
		run(t, answering(webhook.NewService("other", open(t, url)), "/orders/new", "POST /report", "/orders/{id}/items"))
	})
}

// Whoever comes first gets the pattern; never both, and never neither.
func TestOneOfManyRivalsGetsThePattern(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const rivals = 5
		ctx, cancel := context.WithCancel(t.Context())
		type end struct {
			name string
			err  error
		}
		ends := make(chan end, rivals)
		ready := make(chan string, rivals)
		for i := range rivals {
			name := fmt.Sprintf("rival-%d", i)
			s := answering(webhook.NewService(name, open(t, url)), "/wanted", "/own/"+name)
			go func() { ends <- end{name, s.Run(ctx)} }()
			go func() {
				select {
				case <-s.Ready():
					ready <- name
				case <-ctx.Done():
				}
			}()
		}
		winner := receive(t, ready)
		for range rivals - 1 {
			e := receive(t, ends)
			var taken *webhook.TakenError
			if !errors.As(e.err, &taken) || taken.Owner != winner {
				t.Errorf("%s ended with %v; the winner is %s", e.name, e.err, winner)
			}
		}
		want := []string{winner + " /own/" + winner, winner + " /wanted"}
		if routes := patterns(t, open(t, url)); !slices.Equal(routes, want) {
			t.Errorf("the route table has %q, want %q", routes, want)
		}
		cancel()
		if e := receive(t, ends); e.err != nil {
			t.Errorf("%s ended with %v", e.name, e.err)
		}
	})
}

// patterns is the route table, sorted.
func patterns(t *testing.T, mq *leanmq.Client) []string {
	t.Helper()
	routes, err := webhook.Routes(t.Context(), mq)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]string, len(routes))
	for i, r := range routes {
		list[i] = r.Service + " " + r.Pattern
	}
	slices.Sort(list)
	return list
}

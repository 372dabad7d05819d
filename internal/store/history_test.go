package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// remembered is the history of a message: worker and error of each attempt.
func remembered(t *testing.T, e store.Entry) (out []string) {
	t.Helper()
	fields, err := store.UnpackFields(e.History)
	if err != nil || len(fields)%3 != 0 {
		t.Fatalf("history %q: %v", e.History, err)
	}
	last := int64(0)
	for ; len(fields) > 0; fields = fields[3:] {
		at, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil || at < e.FirstFailed || at < last || at > e.LastFailed {
			t.Errorf("at %s, after %d; the first of all at %d, the last at %d", fields[0], last, e.FirstFailed, e.LastFailed)
		}
		last = at
		out = append(out, string(fields[1])+" "+string(fields[2]))
	}
	return out
}

func TestLastFailuresTravelWithTheMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "x")
		var want []string
		for attempt := 1; attempt <= 8; attempt++ {
			w := join(t, s, q, fmt.Sprint("w", attempt%3))
			entry := w.mustRead(1)[0]
			text := strings.Repeat("no. "+strconv.Itoa(attempt)+":", 1+attempt)
			want = append(want, w.name+" "+text)
			want = want[max(len(want)-5, 0):]
			if attempt == 8 {
				w.settle(store.Settlement{Dead: []store.Dead{{ID: entry, Reason: "exhausted", Attempts: attempt, Error: text}}})
				if got := remembered(t, deadLetters(t, q)[0]); !slices.Equal(got, want) {
					t.Errorf("dead: %q, want %q", got, want)
				}
				break
			}
			w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Attempts: attempt, Error: text}}})
			if got := remembered(t, scheduled(t, q)[0]); !slices.Equal(got, want) {
				t.Fatalf("attempt %d: %q, want %q", attempt, got, want)
			}
			eventually(t, "it is due", func() bool {
				if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
					t.Fatal(err)
				}
				return len(waiting(t, q)) == 1
			})
			if got := remembered(t, waiting(t, q)[0]); attempt > 1 && !slices.Equal(got[len(got)-1:], want[len(want)-1:]) {
				t.Errorf("waiting: %q", got)
			}
		}
	})
}

func TestRememberedErrorsAreCutAtACharacter(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		texts := map[string]int{ // and the bytes that are left
			strings.Repeat("x", 256):              256,
			strings.Repeat("x", 257):              256,
			strings.Repeat("x", 255) + "é":        255,
			strings.Repeat("x", 253) + "😀":        253,
			strings.Repeat("x", 252) + "😀😀":       256,
			strings.Repeat("\xbf", 300):           252, // no character anywhere
			strings.Repeat("é", 128) + "and more": 256,
			"":                                    0,
		}
		send(t, q, make([]string, len(texts))...)
		w := join(t, s, q, "w")
		ids := w.mustRead(len(texts))
		var st store.Settlement
		for text := range texts {
			st.Retries = append(st.Retries, store.Retry{ID: ids[len(st.Retries)], Attempts: 1, Error: text})
		}
		w.settle(st)
		for _, e := range scheduled(t, q) {
			got := strings.TrimPrefix(remembered(t, e)[0], "w ")
			if !strings.HasPrefix(e.Error, got) || len(got) != texts[e.Error] || utf8.ValidString(e.Error) && !utf8.ValidString(got) {
				t.Errorf("of %q are left %d bytes: %q", e.Error, len(got), got)
			}
		}
	})
}

// What somebody else writes into the field does not keep a message from being
// settled.
func TestHistoryThatCannotBeReadIsForgotten(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for _, history := range []string{"rubbish", "5:ab", ":", "1:a99999999999999999999999:b", "-1:a", "1:a1:b1:c1:d1:e1:f1:g1:h1:i1:j1:k1:l1:m1:"} {
			s := open(t, url)
			q := queue(t, s, fmt.Sprintf("q%x", history))
			err := rawClient(t, url).Do(t.Context(), "XADD", q.Stream, "*", "p", "x", "a", "5", "h", history).Err()
			if err != nil {
				t.Fatal(err)
			}
			w := join(t, s, q, "w")
			w.settle(store.Settlement{Retries: []store.Retry{{ID: w.mustRead(1)[0], Attempts: 6, Error: "boom"}}})
			if got := remembered(t, scheduled(t, q)[0]); !slices.Equal(got, []string{"w boom"}) {
				t.Errorf("%q became %q", history, got)
			}
		}
	})
}

func TestOnlyFailedAttemptsAreRemembered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "x", "y")
		w := join(t, s, q, "w")
		ids := w.mustRead(2)
		w.settle(store.Settlement{Dead: []store.Dead{
			{ID: ids[0], Reason: "malformed", Error: "boom"},
			{ID: ids[1], Reason: "rejected", Attempts: 1, Error: "boom"},
		}})
		ds := deadLetters(t, q)
		if got := ds[0].History; got != "" {
			t.Errorf("no handler saw it: %q", got)
		}
		if got := remembered(t, ds[1]); !slices.Equal(got, []string{"w boom"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestCrashIsTheEndOfTheHistory(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "x")
		w, other := join(t, s, q, "w"), join(t, s, q, "other")
		w.settle(store.Settlement{Retries: []store.Retry{{ID: w.mustRead(1)[0], Attempts: 1, Error: "boom"}}})
		eventually(t, "it is due", func() bool {
			_, err := s.Promote(t.Context(), []*store.Queue{q}, 10)
			return err == nil && len(waiting(t, q)) == 1
		})
		w.mustRead(1)
		if _, buried := other.reclaim(1, 1); buried != 1 {
			t.Fatal(buried)
		}
		d := deadLetters(t, q)[0]
		got := remembered(t, d)
		if len(got) != 2 || got[0] != "w boom" || !strings.HasPrefix(got[1], "w delivered 1 times") || d.Attempts != 1 {
			t.Errorf("%d attempts: %q", d.Attempts, got)
		}
		if _, _, err := q.Requeue(t.Context(), "-", "+", 1); err != nil {
			t.Fatal(err)
		}
		if got := waiting(t, q)[0].History; got != "" {
			t.Errorf("after it was requeued: %q", got)
		}
	})
}

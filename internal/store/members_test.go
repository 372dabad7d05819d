package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func openPartitions(t *testing.T, url string) *store.Partitions {
	t.Helper()
	s, _ := openQueue(t, url)
	p, err := s.Partitions("emails")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func beat(t *testing.T, p *store.Partitions, member string, n int, known string) store.Membership {
	t.Helper()
	m, err := p.Beat(t.Context(), member, n, time.Minute, known)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMembersComeAndGo(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		p := openPartitions(t, url)
		a := beat(t, p, "a", 4, "")
		if a.N != 4 || a.Version == "" || !slices.Equal(a.Members, []string{"a"}) {
			t.Errorf("the first: %+v", a)
		}
		if again := beat(t, p, "a", 4, a.Version); again.Members != nil || again.Version != a.Version {
			t.Errorf("nothing has changed: %+v", again)
		}
		b := beat(t, p, "b", 4, "")
		if b.Version == a.Version || !slices.Equal(b.Members, []string{"a", "b"}) {
			t.Errorf("the second: %+v", b)
		}
		if a = beat(t, p, "a", 4, a.Version); a.Version != b.Version || !slices.Equal(a.Members, []string{"a", "b"}) {
			t.Errorf("the first learns of it: %+v", a)
		}
		if m := beat(t, p, "c", 5, ""); m.N != 4 || m.Members != nil {
			t.Errorf("with another number: %+v", m)
		}
		for range 2 { // safe to repeat
			if err := p.Leave(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
		}
		if b = beat(t, p, "b", 4, b.Version); !slices.Equal(b.Members, []string{"b"}) {
			t.Errorf("the other one is gone: %+v", b)
		}

		if _, err := p.Beat(t.Context(), "dead", 4, 10*time.Millisecond, ""); err != nil {
			t.Fatal(err)
		}
		version := b.Version
		eventually(t, "who says nothing is thrown out", func() bool {
			m := beat(t, p, "b", 4, version)
			version = m.Version
			return slices.Equal(m.Members, []string{"b"})
		})
		if list, err := p.List(t.Context()); err != nil || !slices.Equal(list, []string{"b"}) {
			t.Errorf("members: %v, %v", list, err)
		}

		if err := redistest.Client(t, url).Del(t.Context(), p.Record, p.Members).Err(); err != nil {
			t.Fatal(err)
		}
		if m := beat(t, p, "b", 4, version); m.N != 4 || m.Version == version || !slices.Equal(m.Members, []string{"b"}) {
			t.Errorf("after all was lost: %+v", m)
		}
	})
}

func TestTheNumberOfPartitionsIsFixed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		p := openPartitions(t, url)
		if n, err := p.Number(t.Context()); n != 0 || err != nil {
			t.Errorf("at first: %d, %v", n, err)
		}
		for _, want := range []int{6, 7} {
			if n, err := p.Fix(t.Context(), want); n != 6 || err != nil {
				t.Errorf("fixing %d: %d, %v", want, n, err)
			}
		}
		if n, err := p.Number(t.Context()); n != 6 || err != nil {
			t.Errorf("fixed: %d, %v", n, err)
		}
		if err := p.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Fix(t.Context(), 7); n != 7 || err != nil {
			t.Errorf("forgotten: %d, %v", n, err)
		}
	})
}

// A replica that takes over may not have the latest change. The next one must not look
// like that to those who know it: they would go on with members who are not.
func TestMembersAfterAFailover(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		p, c := openPartitions(t, url), redistest.Client(t, url)
		before := beat(t, p, "a", 4, "")
		beat(t, p, "b", 4, "")
		a := beat(t, p, "a", 4, before.Version)
		if !slices.Equal(a.Members, []string{"a", "b"}) {
			t.Fatalf("%+v", a)
		}
		// What the replica has: b, which came last, died with the old master.
		c.HSet(t.Context(), p.Record, "version", before.Version)
		c.ZRem(t.Context(), p.PartitionKeys.Members, "b")

		beat(t, p, "c", 4, "")
		if a = beat(t, p, "a", 4, a.Version); !slices.Equal(a.Members, []string{"a", "c"}) {
			t.Errorf("a believes in other members: %+v", a)
		}
		if err := p.Leave(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		if a = beat(t, p, "a", 4, a.Version); !slices.Equal(a.Members, []string{"a"}) {
			t.Errorf("after c has left: %+v", a)
		}
	})
}

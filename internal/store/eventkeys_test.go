package store

import (
	"strings"
	"testing"
)

// Whatever a caller names, no two things share a key, and all have the store's hash tag.
func TestEventKeysShareNothing(t *testing.T) {
	seen := map[string]string{}
	add := func(what, key string) {
		t.Helper()
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s share the key %q", what, other, key)
		}
		seen[key] = what
		if !strings.HasPrefix(key, "leanmq:{shop}:") {
			t.Errorf("%s: key %q does not have the hash tag", what, key)
		}
	}
	names := []string{"a", "a:b", "b", "a:", ":a", "types", "projections", "meta", "aggregate:a", "1:a:b", "x}{y"}
	for _, name := range []string{"shop:a", "shop:a:b", "shop"} {
		keys, err := Keys{"leanmq"}.Events(name)
		if name == "shop:a:b" {
			if err == nil {
				t.Errorf("%q is the name of a group", name)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for what, key := range map[string]string{
			"log": keys.Log, "meta": keys.Meta, "types": keys.Types, "projections": keys.Projections,
		} {
			add(name+" "+what, key)
		}
		for _, n := range names {
			add(name+" aggregate "+n, keys.Aggregate(n))
			add(name+" type "+n, keys.Type(n))
			add(name+" snapshot "+n, keys.Snapshot(n))
			add(name+" projection "+n, keys.Projection(n))
			for _, id := range names {
				add(name+" append "+n+" "+id, keys.Append(n, id))
			}
		}
	}
}

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestFlagsStandAnywhere(t *testing.T) {
	for _, c := range []struct {
		line  string
		words string
		limit int
		json  bool
	}{
		{"ls orders", "ls orders", defaultLimit, false},
		{"ls orders --limit 3 --json", "ls orders", 3, true},
		{"--limit=3 -json ls orders", "ls orders", 3, true},
		{"ls --limit 3 orders --json", "ls orders", 3, true},
		{"ls -- --json", "ls --json", defaultLimit, false},
		{"ls --json -- --limit 3", "ls --limit 3", defaultLimit, true},
		{"", "", defaultLimit, false},
	} {
		var f flags
		words, err := interspersed(f.flagSet(), strings.Fields(c.line))
		if err != nil || !slices.Equal(words, strings.Fields(c.words)) || f.limit != c.limit || f.json != c.json {
			t.Errorf("%q: %q, limit %d, json %t, %v", c.line, words, f.limit, f.json, err)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"billing", "emails", "orders:POST /orders/create", "orders", "odders"}
	for name, want := range map[string]string{
		"order":  "orders",
		"ORDERS": "orders",
		"emials": "emails",
		"create": "orders:POST /orders/create",
		"oders":  "odders",
	} {
		if got := nearest(name, names); got[0] != want || len(got) != len(names) {
			t.Errorf("%s: %q, want %s first", name, got, want)
		}
	}
}

func TestURLs(t *testing.T) {
	for url, ok := range map[string]bool{
		"redis://localhost:6379":        true,
		"redis://u:p@ss@localhost:6379": true,
		"unix://u:p@/run/redis.sock":    true,
		"redis://:12/secret@localhost":  false,
		"redis://:12#secret@localhost":  false,
		"redis://:12?secret@localhost":  false,
		"redis://:a/secret@localhost":   false,
		"redis://:secret%@localhost":    false,
		"redis:secret@localhost":        false,
		"mem://":                        false,
	} {
		err := checkURL(url)
		if ok != (err == nil) {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if got := place("redis://u:secret@localhost:6379/2?pool_size=1"); got != "redis://localhost:6379/2" {
		t.Error(got)
	}
}

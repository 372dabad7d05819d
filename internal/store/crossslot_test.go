package store

import (
	"errors"
	"strings"
	"testing"
)

func TestOneSlot(t *testing.T) {
	queue := func(name string) place {
		k, err := Keys{"leanmq"}.Queue(name)
		if err != nil {
			t.Fatal(err)
		}
		return place{`queue "` + name + `"`, k.Base, true}
	}
	key := func(k string) place { return place{what: `key "` + k + `"`, key: k} }
	for name, tt := range map[string]struct {
		places []place
		names  []string // what the error names, nil: there is none
	}{
		"none":             {nil, nil},
		"one":              {[]place{queue("a")}, nil},
		"one service":      {[]place{queue("s:a"), queue("s:b"), key("{s}:k")}, nil},
		"queue by its tag": {[]place{queue("a"), key("{a}"), key("a")}, nil},
		"two queues":       {[]place{queue("a"), queue("b")}, []string{`queue "a"`, `queue "b"`, "15495", "3300"}},
		"a key elsewhere":  {[]place{queue("s:a"), queue("s:b"), key("k")}, []string{`queue "s:a"`, `key "k"`}},
		"two keys":         {[]place{key("foo"), key("bar"), queue("x")}, []string{`key "foo" is in slot 12182`, `key "bar" in slot 5061`}},
	} {
		err := oneSlot(tt.places)
		if (err != nil) != (tt.names != nil) || err != nil && !errors.Is(err, ErrCrossSlot) {
			t.Errorf("%s: %v", name, err)
		}
		for _, n := range tt.names {
			if err != nil && !strings.Contains(err.Error(), n) {
				t.Errorf("%s: %v does not name %s", name, err, n)
			}
		}
	}
}

package store

import (
	"errors"
	"strings"
	"testing"
)

func TestSlotOf(t *testing.T) {
	// From CLUSTER KEYSLOT of Redis 7.0, and its specification.
	for key, want := range map[string]uint16{
		"": 0, "123456789": 12739, "foo": 12182, "{foo}": 12182, "a{foo}b": 12182, "{foo}{bar}": 12182, "foo{}": 5542,
		"{}foo": 9500, "foo{{bar}}": slotOf("{bar"), "leanmq:{foo}:queue:dlq": 12182, "bar": 5061,
	} {
		if got := slotOf(key); got != want {
			t.Errorf("%q is in slot %d, want %d", key, got, want)
		}
	}
}

func TestOneSlot(t *testing.T) {
	queue := func(name string) place {
		k, err := Keys{"leanmq"}.Queue(name)
		if err != nil {
			t.Fatal(err)
		}
		return place{`queue "` + name + `"`, k.Base}
	}
	key := func(k string) place { return place{`key "` + k + `"`, k} }
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

package store_test

import (
	"testing"

	"github.com/leanmq/leanmq/internal/store"
)

func TestSlot(t *testing.T) {
	for key, want := range map[string]int{
		"":                          0,
		"123456789":                 12739, // the check value of the CRC
		"foo":                       12182,
		"{foo}.bar":                 12182,
		"x{foo}{bar}":               12182,
		"{}foo":                     store.Slot("{}foo"),
		"leanmq:{orders}:orders:p1": store.Slot("orders"),
		"leanmq:inbox:{a}":          store.Slot("a"),
	} {
		if got := store.Slot(key); got != want {
			t.Errorf("%q: %d, want %d", key, got, want)
		}
	}
	if store.Slot("{}foo") == store.Slot("foo") || store.Slot("{}foo") == 0 {
		t.Error("an empty hash tag counts")
	}
}

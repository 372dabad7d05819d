package leanmq_test

import (
	"bytes"
	"testing"

	"github.com/leanmq/leanmq/leanmq"
)

// Payloads and marks come from whoever can write to Redis.
func FuzzOpen(f *testing.F) {
	keys := keyring(f, "2026-11", "old")
	for _, k := range []*leanmq.Keyring{nil, keys} {
		for _, compress := range []int{0, 1} {
			sealed, mark := leanmq.Seal(compress, k, []byte(secret))
			f.Add(sealed, mark)
			f.Add(sealed[:len(sealed)/2], mark)
		}
	}
	f.Add([]byte{}, "gzip")
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}, "gzip")
	f.Add([]byte("x"), "gzip,,aes-gcm;key=;key=old")
	f.Fuzz(func(t *testing.T, data []byte, mark string) {
		before := bytes.Clone(data)
		for _, k := range []*leanmq.Keyring{nil, keys} {
			out, err := k.Unseal(data, mark)
			if err == nil && len(out) > max(len(data), leanmq.MaxPayload) {
				t.Errorf("%d bytes became %d", len(data), len(out))
			}
			if !bytes.Equal(data, before) {
				t.Fatal("the stored bytes are changed")
			}
			for _, compress := range []int{0, 1} {
				sealed, mark := leanmq.Seal(compress, k, data)
				if mark == "" {
					if !bytes.Equal(sealed, data) {
						t.Fatal("changed and not marked")
					}
					continue
				}
				if got, err := keys.Unseal(sealed, mark); err != nil || !bytes.Equal(got, data) {
					t.Fatalf("sealed as %q and opened: %v", mark, err)
				}
			}
		}
	})
}

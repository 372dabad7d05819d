package leanmq

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Encrypt encrypts the payloads of what the client sends, requests and replies
// included, with AES-256-GCM and the keyring's primary key, and decrypts with
// any of its keys. Headers, targets and ids stay readable, as does the size, and
// an empty payload stays empty.
//
// A client with Encrypt still takes messages that are not encrypted: it hides
// what is sent, and does not prove who sent it. That is what lets a fleet begin
// with it step by step: first [Decrypt] everywhere, then Encrypt.
func Encrypt(keys *Keyring) Option {
	return func(c *clientConfig) { c.payload.setKeys("Encrypt", &c.payload.encrypt, keys) }
}

// Decrypt decrypts what others encrypt, with any of the keys, and sends without
// encryption. It and Encrypt exclude each other: Encrypt decrypts too.
func Decrypt(keys *Keyring) Option {
	return func(c *clientConfig) { c.payload.setKeys("Decrypt", &c.payload.decrypt, keys) }
}

// keySize is that of AES-256.
const keySize = 32

// Keyring holds the keys of [Encrypt]. It does not change.
//
// To rotate keys: give every process a keyring with the new key and the old
// primary; then make the new one primary; then, when nothing that was encrypted
// with the old key is left, scheduled messages and dead letters included, drop
// it. A key should encrypt no more than four billion (2^32) messages.
type Keyring struct {
	primary string
	keys    map[string]cipher.AEAD
	// How what it encrypts is marked; see seal.go.
	mark, gzipMark string
}

// NewKeyring returns a keyring with keys by their ids. Each has 32 bytes of good
// randomness, not a password. primary is the id of the one that encrypts. An id
// has 1 to 64 letters, digits or any of ._+/-, and is no secret: it is stored
// with what the key has encrypted. Two keys never have the same id, now or later.
func NewKeyring(primary string, keys map[string][]byte) (*Keyring, error) {
	k := &Keyring{
		primary: primary, keys: make(map[string]cipher.AEAD, len(keys)),
		mark:     encoding{key: primary}.String(),
		gzipMark: encoding{gzip: true, key: primary}.String(),
	}
	for id, key := range keys {
		if !isLabel(id) {
			return nil, wrap("keyring", "", "", invalid("key id", "is %.80q: %s", id, wantLabel))
		}
		if len(key) != keySize {
			return nil, wrap("keyring", "", "", invalid("key", "%q has %d bytes: want %d", id, len(key), keySize))
		}
		block, err := aes.NewCipher(key)
		if err == nil {
			k.keys[id], err = cipher.NewGCMWithRandomNonce(block)
		}
		if err != nil {
			return nil, wrap("keyring", "", "", err)
		}
	}
	if k.keys[primary] == nil {
		return nil, wrap("keyring", "", "", invalid("primary", "is %.80q: want one of the keys: %s", primary, k.ids()))
	}
	return k, nil
}

func (k *Keyring) ids() string {
	if k == nil || len(k.keys) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(k.keys)), ", ")
}

// String names the keys and shows none of them.
func (k *Keyring) String() string {
	if k == nil {
		return "keyring(nil)"
	}
	return fmt.Sprintf("keyring(primary %s of %s)", k.primary, k.ids())
}

// GoString is String: %#v shows no keys either.
func (k *Keyring) GoString() string { return k.String() }

// encrypt puts nonce, ciphertext and tag together. The mark is bound to them: it
// cannot be changed either.
func (k *Keyring) encrypt(payload []byte, mark string) []byte {
	key := k.keys[k.primary]
	return key.Seal(make([]byte, 0, len(payload)+key.Overhead()), nil, payload, []byte(mark))
}

// decrypt leaves sealed as it is.
func (k *Keyring) decrypt(id string, sealed []byte, mark string) ([]byte, error) {
	var key cipher.AEAD
	if k != nil {
		key = k.keys[id]
	}
	if key == nil {
		return nil, fmt.Errorf("is encrypted with key %q, which this client does not have (its keys: %s)", id, k.ids())
	}
	payload, err := key.Open(nil, nil, sealed, []byte(mark))
	if err != nil {
		return nil, fmt.Errorf("is damaged, or key %q is not the one it was encrypted with: %w", id, err)
	}
	return payload, nil
}

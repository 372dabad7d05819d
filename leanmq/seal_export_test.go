package leanmq

// Unseal is unseal, for the fuzz test.
func (k *Keyring) Unseal(sealed []byte, mark string) ([]byte, error) { return k.unseal(sealed, mark) }

// Seal seals as a client does that compresses what has compress bytes or more,
// if that is not 0, and encrypts with the keyring, if that is not nil.
func Seal(compress int, k *Keyring, payload []byte) (sealed []byte, mark string) {
	return (&sealer{compress: compress, keys: k}).seal(payload)
}

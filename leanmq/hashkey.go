package leanmq

import "hash/fnv"

// hashKey is FNV-1a with its bits mixed. It decides where messages are, and who
// has which partition: it never changes.
func hashKey(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return mix(h.Sum64())
}

// mix makes each bit depend on all others: the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

package store

import (
	"fmt"
	"strings"
)

// MaxPartitions is how many partitions a queue has at most.
const MaxPartitions = 1024

// What is appended to a hash tag: "#", the number, and letters.
const (
	maxNonce          = 4
	maxPartitionedTag = maxTagLen - len("#1023") - maxNonce
)

// PartitionName is the name of the queue that is partition i of n of the queue
// with these keys. It never changes: that is where the messages are.
//
// The slots are cut into n equal ranges, and the partition's hash tag is the first
// one that lies in the middle eighth of range i. So masters with equal, contiguous
// ranges of slots, as clusters begin with, get as many partitions each where n is a
// multiple of their number, and otherwise (up to 8 masters, and but for rounding)
// within one. Far from the edges it stays so when some slots are moved.
func (k PartitionKeys) PartitionName(i, n int) string {
	_, rest, tagged := strings.Cut(k.Name, ":")
	if !tagged {
		rest = k.Name
	}
	base := fmt.Sprintf("%s#%d", k.Tag, i)
	crc := crc16(0, base)
	from, to := (16*i+7)*Slots, (16*i+9)*Slots // in 1/16n of a slot
	var nonce [maxNonce]byte
	for v := 0; ; v++ {
		letters := nonceOf(v, &nonce)
		if at := 16 * n * int(crc16(crc, letters)%Slots); from <= at && at < to {
			return base + string(letters) + ":" + rest
		}
	}
}

// nonceOf counts in letters: "", a, …, z, aa, ….
func nonceOf(v int, buf *[maxNonce]byte) []byte {
	at := len(buf)
	for ; v > 0; v = (v - 1) / 26 {
		at--
		buf[at] = 'a' + byte((v-1)%26)
	}
	return buf[at:]
}

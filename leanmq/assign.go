package leanmq

import "math/bits"

// assign decides which of n partitions each member has. Every member computes it by
// itself from the same sorted names, so that nobody has to be asked.
//
// Each partition has at least one member. The numbers of partitions that members
// have differ by at most one; where there are more members than partitions, so do
// the numbers of members that partitions have. When a member comes or goes, little
// moves but what it gets or had.
func assign(members []string, n int) map[string][]int {
	hashes := make([]uint64, len(members))
	for i, m := range members {
		hashes[i] = hashKey(m)
	}
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = mix(uint64(i) + 1)
	}
	owned := make(map[string][]int, len(members))
	if n >= len(members) {
		for partition, m := range spread(numbers, hashes) {
			owned[members[m]] = append(owned[members[m]], partition)
		}
		return owned
	}
	for m, partition := range spread(hashes, numbers) {
		owned[members[m]] = []int{partition}
	}
	return owned
}

// spread puts things into bins, which get equally many but for one. It is
// rendezvous hashing: a thing goes to the bin that it fits best, among those that
// have room.
func spread(things, bins []uint64) (bin []int) {
	bin = make([]int, len(things))
	if len(bins) == 0 {
		return nil
	}
	full, more := len(things)/len(bins), len(things)%len(bins)
	held := make([]int, len(bins))
	for t, thing := range things {
		best, fit := -1, uint64(0)
		for b, other := range bins {
			if held[b] > full || held[b] == full && more == 0 {
				continue
			}
			if f := mix(thing ^ bits.RotateLeft64(other, 32)); best < 0 || f > fit {
				best, fit = b, f
			}
		}
		if held[best] == full {
			more--
		}
		held[best]++
		bin[t] = best
	}
	return bin
}

package leanmq

import (
	"fmt"
	"slices"
	"testing"
)

func names(from, to int) (members []string) {
	for i := from; i < to; i++ {
		members = append(members, fmt.Sprintf("host-%d-%x", i, mix(uint64(i))))
	}
	slices.Sort(members)
	return members
}

func TestAssignIsBalanced(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 6, 12, 64, 100, 1024} {
		for _, m := range []int{1, 2, 3, 4, 5, 7, 12, 13, 64, 100, 1000} {
			owned := assign(names(0, m), n)
			on := make([]int, n) // members of each partition
			least, most := n, 0
			for _, mine := range owned {
				least, most = min(least, len(mine)), max(most, len(mine))
				for _, i := range mine {
					on[i]++
				}
			}
			if len(owned) != m || least < 1 || most-least > 1 {
				t.Errorf("%d partitions, %d members: %d have some, %d to %d", n, m, len(owned), least, most)
			}
			if l, h := slices.Min(on), slices.Max(on); l < 1 || h-l > 1 || n >= m && h > 1 {
				t.Errorf("%d partitions, %d members: a partition has %d to %d", n, m, l, h)
			}
		}
	}
	if owned := assign(nil, 3); len(owned) != 0 {
		t.Errorf("without members: %v", owned)
	}
}

// What moves when a member comes is what it gets, and little more; when it goes again
// that moves back.
func TestAssignMovesLittle(t *testing.T) {
	for _, n := range []int{12, 64, 256} {
		for _, m := range []int{2, 3, 5, 8} {
			moved, due := 0, 0
			for round := range 20 {
				members := names(100*round, 100*round+m+1)
				gone := members[round%len(members)]
				before := assign(slices.DeleteFunc(slices.Clone(members), func(s string) bool { return s == gone }), n)
				after := assign(members, n)
				due += len(after[gone])
				for member, mine := range after {
					moved += len(slices.DeleteFunc(mine, func(i int) bool { return slices.Contains(before[member], i) }))
				}
			}
			if moved > 2*due {
				t.Errorf("%d partitions, a member beside %d: %d move, %d have to", n, m, moved, due)
			}
			t.Logf("%d partitions, a member beside %d: %.2f of what has to move", n, m, float64(moved)/float64(due))
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	members := names(0, 1000)
	for b.Loop() {
		assign(members, 1024)
	}
}

package leanmq

import (
	"slices"
	"strings"
	"testing"
)

const picked = "NLHUT" // by level as written, and the topic

// picks runs n picks; has says which levels have messages at each of them.
func picks(k *picker, n int, has func(i int) string) string {
	var out strings.Builder
	for i := range n {
		has := func(l int) bool { return strings.Contains(has(i), picked[l:l+1]) }
		l := k.level(has, has)
		if l < 0 {
			out.WriteByte('-')
			continue
		}
		out.WriteByte(picked[l])
	}
	return out.String()
}

func always(s string) func(int) string { return func(int) string { return s } }

func TestStrictPickerTakesTheMostUrgent(t *testing.T) {
	for has, want := range map[string]string{"": "-", "L": "L", "N": "N", "HL": "H", "NL": "N", "UHNL": "U"} {
		if got := picks(&picker{}, 31, always(has)); got != strings.Repeat(want, 31) {
			t.Errorf("of %q: %s", has, got)
		}
	}
}

// One in 32 is of a less urgent level that has messages, each in its turn, so that
// none of them waits for more than 32 for each such level.
func TestStrictPickerStarvesNobody(t *testing.T) {
	for _, tt := range []struct {
		has  string
		most int // between two of the same less urgent level
	}{{"UL", 32}, {"NL", 32}, {"UHL", 64}, {"UHNL", 96}} {
		const n = 3200
		got := picks(&picker{}, n, always(tt.has))
		first := tt.has[:1]
		if less := n - strings.Count(got, first); less != n/32 {
			t.Errorf("of %s: %d of %d were of less urgent levels, want %d", tt.has, less, n, n/32)
		}
		for _, l := range strings.Split(tt.has[1:], "") {
			last := -1
			for i := range got {
				if got[i:i+1] == l {
					if i-last > tt.most {
						t.Errorf("of %s: %s waited for %d", tt.has, l, i-last)
					}
					last = i
				}
			}
			if n-last > tt.most {
				t.Errorf("of %s: %s waited for %d", tt.has, l, n-last)
			}
		}
	}
}

// While nobody less urgent waits, no turns are saved up.
func TestStrictPickerCountsOnlyWhileOthersWait(t *testing.T) {
	k := &picker{}
	picks(k, 1000, always("U"))
	if got := picks(k, 31, always("UL")); got != strings.Repeat("U", 31) {
		t.Errorf("%s", got)
	}
	if got := picks(k, 1, always("UL")); got != "L" {
		t.Errorf("then %s", got)
	}
}

// Any n messages in a row, n being the sum of the weights, have each level as often
// as its weight.
func TestWeightedPickerSharesExactly(t *testing.T) {
	for _, tt := range []struct {
		weights [slots]int // N L H U
		has     string
	}{
		{[slots]int{1, 1, 1, 1}, "UHNL"},
		{[slots]int{2, 1, 3, 6}, "UHNL"},
		{[slots]int{1, 7, 1, 2}, "UHNL"},
		{[slots]int{2, 1, 3, 6}, "UN"},
		{[slots]int{1000, 1, 1, 999}, "UNL"},
		{[slots]int{3, 1, 1, 1}, "N"},
	} {
		sum := 0
		for l, w := range tt.weights {
			if strings.Contains(tt.has, picked[l:l+1]) {
				sum += w
			}
		}
		got := picks(&picker{weights: tt.weights}, 3*sum, always(tt.has))
		for at := 0; at+sum <= len(got); at += 1 + sum/50 {
			for l, w := range tt.weights {
				level := picked[l : l+1]
				if !strings.Contains(tt.has, level) {
					w = 0
				}
				if n := strings.Count(got[at:at+sum], level); n != w {
					t.Fatalf("%v of %s: %d of %s in messages %d to %d, want %d", tt.weights, tt.has, n, level, at, at+sum, w)
				}
			}
		}
	}
}

// A level that had nothing has not saved up turns, and not lost any.
func TestWeightedPickerForgetsThoseWithoutMessages(t *testing.T) {
	k := &picker{weights: [slots]int{1, 1, 1, 3}}
	picks(k, 1001, always("U"))
	got := picks(k, 400, always("UL"))
	if n := strings.Count(got, "L"); n < 99 || n > 101 {
		t.Errorf("%d of 400, want 100: %s", n, got)
	}
	if first := strings.IndexByte(got, 'L'); first > 4 {
		t.Errorf("the first one waited for %d", first)
	}
}

// A level that there is no room for now keeps its claim for later.
func TestPickerKeepsClaims(t *testing.T) {
	has := func(l int) bool { return l == 3 || l == 1 }
	urgent := func(l int) bool { return l == 3 }
	for name, weights := range map[string][slots]int{"strict": {}, "weights": {1, 1, 1, 31}} {
		k := &picker{weights: weights}
		for range 16 {
			k.level(has, has)
		}
		for range 4 {
			k.level(has, urgent)
		}
		got := ""
		for range 16 {
			got += picked[k.level(has, has):][:1]
		}
		if !strings.Contains(got, "L") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// What was planned and did not come is no turn.
func TestPlanCountsWhatCame(t *testing.T) {
	level := func(l int) *source { return &source{level: l} }
	all := []*source{level(0), level(1), level(2), level(3)}
	tn := newTurns(all, [slots]int{})
	if got := []int{tn.levels[0].level, tn.levels[1].level, tn.levels[2].level, tn.levels[3].level}; !slices.Equal(got, []int{3, 2, 0, 1}) {
		t.Fatalf("levels %v", got)
	}
	room := []int{16, 16, 16, 16}
	for range 100 { // nothing comes: the limits allow nothing
		try := tn.pick
		tn.plan(&try, room, 16)
		tn.plan(&tn.pick, room, 0)
	}
	var handed strings.Builder
	for range 64 { // one each time
		try := tn.pick
		handed.WriteString(tn.plan(&try, room, 16)[:1])
		tn.plan(&tn.pick, room, 1)
	}
	if n := strings.Count(handed.String(), "0"); n != 62 {
		t.Errorf("%d of 64 of the most urgent level, want 62: %s", n, handed.String())
	}
}

// There is never more planned for a level and those before it than there is room.
func TestPlanKeepsToTheRoom(t *testing.T) {
	for _, weights := range [][slots]int{{}, {1, 1, 1, 1}} {
		tn := newTurns([]*source{{level: 0}, {level: 1}, {level: 2}, {level: 3}}, weights)
		for _, room := range [][]int{{5, 5, 5, 5}, {9, 4, 4, 0}, {3, 0, 0, 0}, {100, 80, 2, 1}} {
			try := tn.pick
			plan := tn.plan(&try, room, room[0])
			if len(plan) != room[0] {
				t.Errorf("room %v: %d planned", room, len(plan))
			}
			for i := range room {
				n := 0
				for j := range i + 1 {
					n += strings.Count(plan, string(rune('0'+j)))
				}
				if i > 0 && n > room[i] && strings.Contains(plan, string(rune('0'+i))) && overfull(plan, i, room[i]) {
					t.Errorf("room %v: %s", room, plan)
				}
			}
		}
	}
}

// overfull reports whether a message of level i was planned when level i and those
// before it had used up the room.
func overfull(plan string, i, room int) bool {
	n := 0
	for _, c := range plan {
		if int(c-'0') == i && n >= room {
			return true
		}
		if int(c-'0') <= i {
			n++
		}
	}
	return false
}

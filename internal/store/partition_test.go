package store

import (
	"strings"
	"testing"
)

func partitionKeys(t testing.TB, name string) PartitionKeys {
	t.Helper()
	k, err := Keys{"leanmq"}.Partitions(name)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// These names are where messages are: they must never change.
func TestPartitionNamesStayWhatTheyAre(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"emails", "emails#0:emails emails#1ad:emails emails#2at:emails emails#3fq:emails emails#4bh:emails emails#5c:emails emails#0ba:emails emails#2dq:emails emails#1023evl:emails"},
		{"orders:created", "orders#0q:created orders#1ad:created orders#2dv:created orders#3be:created orders#4bl:created orders#5q:created orders#0bc:created orders#2ab:created orders#1023aei:created"},
	} {
		k := partitionKeys(t, tt.name)
		var got []string
		for i := range 6 {
			got = append(got, k.PartitionName(i, 6))
		}
		got = append(got, k.PartitionName(0, 1), k.PartitionName(2, 3), k.PartitionName(1023, 1024))
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %s", tt.name, s)
		}
	}
}

// However many masters with equal ranges of slots there are, they have equally many
// partitions where they can, and else as good as equally many.
func TestPartitionsAreSpreadOverMasters(t *testing.T) {
	for _, name := range []string{"emails", "svc:jobs", "x", strings.Repeat("é", 27)} {
		k := partitionKeys(t, name)
		for n := 1; n <= MaxPartitions; n = n + 1 + n/5 {
			seen := map[string]bool{}
			at := make([]int, n)
			for i := range n {
				keys, err := Keys{"leanmq"}.Queue(k.PartitionName(i, n))
				if err != nil {
					t.Fatal(err)
				}
				if seen[keys.Tag] {
					t.Fatalf("%s: two partitions of %d with tag %s", name, n, keys.Tag)
				}
				seen[keys.Tag] = true
				at[i] = Slot(keys.Stream)
			}
			for masters := 1; masters <= 12; masters++ {
				has := make([]int, masters)
				for _, slot := range at {
					has[slot*masters/Slots]++
				}
				least, most := n, 0
				for _, h := range has {
					least, most = min(least, h), max(most, h)
				}
				even := most-least <= 1 || n > 128 && most-least == 2
				if masters < 8 && !even || n%masters == 0 && most != least {
					t.Errorf("%s: %d partitions on %d masters: %v", name, n, masters, has)
				}
			}
		}
	}
}

func TestPartitionedNamesOutOfBounds(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("x", 56):           "has 56 bytes: with partitions at most 55 are allowed",
		strings.Repeat("x", 56) + ":jobs": "has 56 bytes: with partitions at most 55 are allowed",
		"a:b:c:d":                         "colons are not allowed",
		"":                                "is empty",
	} {
		if _, err := (Keys{"leanmq"}).Partitions(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := (Keys{"leanmq"}).Partitions("svc:" + strings.Repeat("x", 200)); err != nil {
		t.Error(err)
	}
}

package store_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// A place is where a message is. It is in one of them at any time.
type place string

const (
	isBlocked   place = "blocked" // in the lane of its ordering key
	isReady     place = "ready"
	isInFlight  place = "in flight"
	isScheduled place = "scheduled"
	isDead      place = "dead"
	isGone      place = "gone"
)

// msg is a message of the model. Its name is its payload, so that it is known
// again wherever it turns up.
type msg struct {
	name        string
	id          string // "" until Redis has given it one
	entry       string // in its stream, or its token; "" until Redis was looked at
	key, unique string
	level       int
	keep        bool // its result
	place       place

	owner      string // in flight; "released" after it was handed back
	deliveries int
	due        int64 // ms; 0 until Redis was looked at
	dueAfter   time.Duration

	// What its fields say by now.
	hasID, hasTime, tried bool
	attempts              int
	err, reason           string
}

func (m *msg) String() string { return m.name }

// fields are those that it has in Redis. Times are "*".
func (m *msg) fields() string {
	f := []string{"p=" + m.name}
	add := func(has bool, name, value string) {
		if has {
			f = append(f, name+"="+value)
		}
	}
	add(m.hasID, "i", m.id)
	add(m.hasTime, "t", "*")
	add(m.key != "", "k", m.key)
	add(m.unique != "", "q", m.unique)
	add(m.level != 0, "y", strconv.Itoa(m.level))
	add(m.keep, "o", "3600000")
	add(m.tried, "a", strconv.Itoa(m.attempts))
	add(m.tried, "e", m.err)
	add(m.tried, "f", "*")
	add(m.tried, "l", "*")
	add(m.reason != "", "w", m.reason)
	slices.Sort(f)
	return strings.Join(f, " ")
}

// model is what a queue should be, told without Redis: where each message is and
// what that means for the others.
type model struct {
	all     []*msg
	streams map[int][]*msg // by level, ready and in flight, in the order of their entries
	delayed []*msg
	dead    []*msg
	lanes   map[string][]*msg
	active  map[string]*msg // by ordering key: the one that the others wait for

	unique     map[string]string // holder's id by unique key
	remembered map[string]string // id by key with a TTL
	canceled   map[string]bool   // ids
	results    map[string]string // by id

	epochs    map[string]string       // by worker
	lives     map[string]bool         // epochs that were given out
	consumers map[int]map[string]bool // by level
	last      map[int]string          // entry delivered last, by level

	levels  string
	version int
	paused  bool
	limits  store.Limits
	counted map[string]int
	rated   int  // messages taken under the rate
	based   bool // the stream of level 0 is there
}

func newModel() *model {
	m := &model{
		streams: map[int][]*msg{}, lanes: map[string][]*msg{}, active: map[string]*msg{},
		unique: map[string]string{}, remembered: map[string]string{}, canceled: map[string]bool{}, results: map[string]string{},
		epochs: map[string]string{}, lives: map[string]bool{}, consumers: map[int]map[string]bool{}, last: map[int]string{},
		counted: map[string]int{},
	}
	for _, level := range modelLevels {
		m.consumers[level], m.last[level] = map[string]bool{}, "0-0"
	}
	return m
}

// in returns the messages in a place.
func (m *model) in(places ...place) []*msg {
	var out []*msg
	for _, x := range m.all {
		if slices.Contains(places, x.place) {
			out = append(out, x)
		}
	}
	return out
}

func without(list []*msg, x *msg) []*msg {
	i := slices.Index(list, x)
	return slices.Concat(list[:i], list[i+1:])
}

// find returns the message with this entry, nil if it is not there any more.
func (m *model) find(level int, entry string) *msg {
	for _, x := range m.streams[level] {
		if x.entry == entry {
			return x
		}
	}
	return nil
}

func (m *model) owned(level int, w string) []*msg {
	var out []*msg
	for _, x := range m.streams[level] {
		if x.place == isInFlight && x.owner == w {
			out = append(out, x)
		}
	}
	return out
}

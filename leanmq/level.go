package leanmq

import (
	"context"
	"slices"

	"github.com/leanmq/leanmq/internal/store"
)

// Level is a message's priority within its queue.
type Level int

// The levels, from the least to the most urgent.
const (
	Low    Level = -1
	Normal Level = 0 // the default
	High   Level = 1
	Urgent Level = 2
)

// wire is how a level is written into a message; it never changes. 0 is left out.
var wire = map[Level]int{Normal: 0, Low: 1, High: 2, Urgent: 3}

const (
	// published is where a topic stands among the levels of a group's own queue.
	published = store.Levels
	slots     = store.Levels + 1
)

// byUrgency has the levels as written, the most urgent first.
var byUrgency = [slots]int{3, 2, 0, published, 1}

// lessUrgent returns the levels that are less urgent than this one.
func lessUrgent(level int) []int {
	for i, l := range byUrgency {
		if l == level {
			return byUrgency[i+1:]
		}
	}
	return nil
}

// levels returns the streams of the queue's levels in use, the most urgent first.
func (q *Queue) levels(ctx context.Context) ([]*store.Queue, error) {
	if q.err != nil {
		return nil, q.err
	}
	settings, err := q.sq.Control(ctx)
	var out []*store.Queue
	for _, level := range byUrgency {
		switch {
		case level == 0:
			out = append(out, q.sq)
		case level == published && q.sq.Topic != "":
			out = append(out, q.sq.OfTopic())
		case slices.Contains(settings.Levels, level):
			out = append(out, q.sq.Level(level))
		}
	}
	return out, err
}

// Priority sets the message's level. Default [Normal]. A worker that becomes free
// takes the most urgent message there is, see [Weights].
//
// Levels are streams of their own that consumers learn of by themselves; a queue
// that uses only the normal one pays nothing for the others. A consumer of several
// levels has a connection of its own to wait on.
func Priority(l Level) SendOption {
	return func(c *sendConfig) {
		level, ok := wire[l]
		if !ok {
			c.fail(invalid("Priority", "is %d: want Low, Normal, High or Urgent", int(l)))
		}
		c.level = level
	}
}

// strictTurn is how many messages at most a process hands out in a row that are
// not of the least urgent levels, while those have some.
const strictTurn = 32

// Weights makes the consumer share its workers between the priority levels instead
// of serving the more urgent ones first: while all have messages, one of weight 3
// gets three times as many handled as one of weight 1, so that of any n messages,
// n being the sum of the weights, each level gets as many as its weight. A level
// that is not named has weight 1; weights are 1 to 1000.
//
// Without Weights the order is strict, but for one message in 32 that a process
// takes in turn from the less urgent levels that have some: urgent work cannot
// starve the rest.
func Weights(w map[Level]int) ConsumeOption {
	return func(c *consumeConfig) {
		c.weights = [slots]int{1, 1, 1, 1, 1}
		for l, n := range w {
			level, ok := wire[l]
			if !ok || n < 1 || n > 1000 {
				c.fail(invalid("Weights", "level %d has weight %d: want Low to Urgent, and 1 to 1000", int(l), n))
				continue
			}
			c.weights[level] = n
		}
	}
}

// picker decides which level is next. Without weights it is strict.
type picker struct {
	weights [slots]int
	credit  [slots]int
	strict  int // messages handed out since a less urgent one had its turn
	turn    int // whose turn it was, an index of byUrgency
}

func (k *picker) next(ready *[slots]fifo) *Message {
	has := func(l int) bool { return !ready[l].empty() }
	level := k.level(has, has)
	if level < 0 {
		return nil
	}
	return ready[level].pop()
}

// level returns the level to take from, or -1 when there is none. Of the levels that
// have messages there may be some that may not be taken from now: they keep their
// claims.
func (k *picker) level(has, may func(int) bool) int {
	if k.weights[0] == 0 {
		return k.strictLevel(has, may)
	}
	// Smooth weighted round robin, as in nginx: each level that has messages
	// earns its weight, the richest one pays what all have earned.
	best, total := -1, 0
	for _, l := range byUrgency {
		if !has(l) {
			k.credit[l] = 0
		}
		if !may(l) {
			continue
		}
		total += k.weights[l]
		k.credit[l] += k.weights[l]
		if best < 0 || k.credit[l] > k.credit[best] {
			best = l
		}
	}
	if best >= 0 {
		k.credit[best] -= total
	}
	return best
}

func (k *picker) strictLevel(has, may func(int) bool) int {
	first, claims := -1, false
	for i, l := range byUrgency {
		switch {
		case !may(l):
			claims = claims || has(l)
		case first < 0:
			first = i
		case k.strict >= strictTurn-1:
			return k.lowerTurn(first, may)
		default:
			k.strict++
			return byUrgency[first]
		}
	}
	if !claims {
		k.strict = 0 // nobody had to wait
	}
	if first < 0 {
		return -1
	}
	return byUrgency[first]
}

// lowerTurn gives the levels below first their turns.
func (k *picker) lowerTurn(first int, may func(int) bool) int {
	k.strict = 0
	for range byUrgency {
		k.turn = (k.turn + 1) % len(byUrgency)
		if k.turn > first && may(byUrgency[k.turn]) {
			break
		}
	}
	return byUrgency[k.turn]
}

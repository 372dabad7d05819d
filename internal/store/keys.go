package store

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a queue's name.
const (
	maxTagLen  = 64
	maxNameLen = 200
)

// group is the one consumer group of a queue's stream.
const group = "leanmq"

// Keys builds every key name there is. Two queues never share a key: names
// hold no colon, so each key has one reading only.
type Keys struct{ prefix string }

// QueueKeys are the keys of one queue. All of them share its hash tag, so that
// a script may touch them together on Redis Cluster.
type QueueKeys struct {
	Name     string // canonical: "tag:name", or "name" when both are equal
	Tag      string
	Stream   string // ready and in flight
	Base     string // the stream of normal priority; what the scripts build further keys from
	Dead     string // dead letters, a stream
	Delayed  string // scheduled: zset of tokens by due time in ms
	Bodies   string // scheduled: hash of packed fields by token
	Periodic string // periodic jobs: hash of packed definitions by name
	Workers  string // hash of epochs by consumer
	Meta     string // hash of settings and counters
	Order    string // hash of the ordering keys that have a message under way
	Unique   string // hash of message ids by unique key
	Rate     string // when the rate limit grants the next message, in µs
	Canceled string // zset of canceled message ids by the time in ms of the cancel
}

// Queue returns the keys of the queue called name: "name", or "tag:name" for
// queues that share the hash tag of a service.
func (k Keys) Queue(name string) (QueueKeys, error) {
	tag, rest, tagged := strings.Cut(name, ":")
	if !tagged {
		rest = tag
	} else if err := checkName("queue tag", tag, maxTagLen); err != nil {
		return QueueKeys{}, err
	}
	if err := checkName("queue name", rest, maxNameLen); err != nil {
		return QueueKeys{}, err
	}
	canonical := tag + ":" + rest
	stream := k.prefix + ":{" + tag + "}:" + rest
	if tag == rest {
		canonical = rest
	}
	return QueueKeys{
		Name:     canonical,
		Tag:      tag,
		Stream:   stream,
		Base:     stream,
		Dead:     stream + ":dlq",
		Delayed:  stream + ":delayed",
		Bodies:   stream + ":delayed:msg",
		Periodic: stream + ":periodic",
		Workers:  stream + ":workers",
		Meta:     stream + ":meta",
		Order:    stream + ":order",
		Unique:   stream + ":unique",
		Rate:     stream + ":rate",
		Canceled: stream + ":canceled",
	}, nil
}

// level is the keys of the same queue with the stream of a priority level.
func (q QueueKeys) level(n int) QueueKeys {
	if n > 0 {
		q.Stream = q.Base + ":p" + strconv.Itoa(n)
	}
	return q
}

// Lane is the list of the messages that wait for others with their ordering key.
func (q QueueKeys) Lane(key string) string { return q.Order + ":" + key }

// UniqueFor is the key that remembers a unique key for a time.
func (q QueueKeys) UniqueFor(key string) string { return q.Base + ":unique-for:" + key }

// Result is the key of a message's result.
func (q QueueKeys) Result(id string) string { return q.Base + ":result:" + id }

// Notices is the channel that tells the queue's consumers to look at something now:
// "due <queue>", "released <queue>", "control <queue>". A lost notice only costs
// time: whatever it announces is also looked at regularly.
func (q QueueKeys) Notices() string { return q.Base + ":notices" }

// Results is the channel on which the ids of messages with a new result are told.
func (q QueueKeys) Results() string { return q.Base + ":results" }

// Progress is the key of what a message's handler said about its progress.
func (q QueueKeys) Progress(id string) string { return q.Base + ":progress:" + id }

// Dedupe is the key that remembers the message sent under a caller's id.
func (q QueueKeys) Dedupe(id string) string { return q.Base + ":dedupe:" + id }

// dedupeWithin is Dedupe for ids that are unique within a scope of the queue.
func (q QueueKeys) dedupeWithin(scope, id string) string {
	if scope == "" {
		return q.Dedupe(id)
	}
	return fmt.Sprintf("%s:dedupe-within:%d:%s:%s", q.Base, len(scope), scope, id)
}

// Inbox is the reply stream of one gateway instance.
func (k Keys) Inbox(id string) string { return k.prefix + ":inbox:{" + id + "}" }

// Queues is the set of all queue names.
func (k Keys) Queues() string { return k.prefix + ":queues" }

// Routes is the route table.
func (k Keys) Routes() string { return k.prefix + ":routes" }

// Notices is the channel for what concerns more than one queue: "routes", "parked",
// "lost". Each listener costs whoever tells something about 8 µs of the server's
// time, hence the channels of the queues.
func (k Keys) Notices() string { return k.prefix + ":notices" }

// NameError says what is wrong with a name, and what is allowed.
type NameError struct {
	What, Name, Reason string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s %q %s", e.What, e.Name, e.Reason)
}

func checkName(what, s string, most int) error {
	fail := func(format string, args ...any) error {
		return &NameError{What: what, Name: s, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case s == "":
		return fail("is empty")
	case len(s) > most:
		return fail("has %d bytes: at most %d are allowed", len(s), most)
	case !utf8.ValidString(s):
		return fail("is not valid UTF-8")
	case strings.TrimSpace(s) != s:
		return fail("begins or ends with white space")
	}
	for i, r := range s {
		// IsPrint leaves out what a terminal would act on, such as U+202E.
		if !unicode.IsPrint(r) || strings.ContainsRune("{}:", r) {
			return fail("has %q at byte %d: unprintable characters, braces and colons are not allowed", r, i)
		}
	}
	return nil
}

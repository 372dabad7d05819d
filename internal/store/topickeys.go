package store

import "strings"

// TopicKeys are the keys of one topic. All of them, and those of its groups, share
// its hash tag.
type TopicKeys struct {
	Name   string // canonical, as a queue's
	Tag    string
	Base   string // what the keys of groups are built from
	Stream string // what was published
	Meta   string // hash of settings, and of what was trimmed
}

// Topic returns the keys of the topic called name: "name" or "tag:name".
func (k Keys) Topic(name string) (TopicKeys, error) {
	canonical, tag, base, err := k.named("topic", name)
	return TopicKeys{
		Name: canonical, Tag: tag, Base: base,
		Stream: base + ":topic", Meta: base + ":topic:meta",
	}, err
}

// Group returns the keys of what is a group's own: those of a queue.
func (k Keys) Group(topic, member string) (QueueKeys, error) {
	t, err := k.Topic(topic)
	if err == nil {
		err = checkName("group name", member, maxNameLen)
	}
	if err == nil && member == group {
		err = &NameError{What: "group name", Name: member, Reason: "is reserved: choose another one"}
	}
	if err != nil {
		return QueueKeys{}, err
	}
	_, name, tagged := strings.Cut(t.Name, ":")
	if !tagged {
		name = t.Tag
	}
	q := queueKeys(t.Tag+":"+name+":"+member, t.Tag, t.group(member))
	q.Topic, q.Member = t.Stream, member
	return q, nil
}

// group is the base of a group's keys. Scripts build it, too.
func (t TopicKeys) group(member string) string { return t.Base + ":group:" + member }

// Topics is the set of all topics' names.
func (k Keys) Topics() string { return k.prefix + ":topics" }

// cutGroup reads the name of a group's queue, which has three parts.
func cutGroup(name string) (topic, member string, ok bool) {
	if strings.Count(name, ":") != 2 {
		return "", "", false
	}
	at := strings.LastIndexByte(name, ':')
	return name[:at], name[at+1:], true
}

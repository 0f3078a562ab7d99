package chat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSpans is how many stretches are kept of one member. Beyond it the oldest two become one, with what is between them:
// what is hidden never comes to light.
const maxSpans = 64

// Span is a stretch of a log, both ends included.
type Span struct{ First, Last int64 }

// Spans are stretches of one log, in order and apart from each other. They are not changed once made. Stores keep what
// String writes.
type Spans []Span

// String writes the spans as "9-49,60-60"; nothing for none.
func (s Spans) String() string {
	var b []byte
	for i, span := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, span.First, 10)
		b = append(b, '-')
		b = strconv.AppendInt(b, span.Last, 10)
	}
	return string(b)
}

// Scan implements sql.Scanner: it reads what String wrote.
func (s *Spans) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("spans are a %T, want text", value)
	}
	*s = nil
	for text != "" {
		var one string
		one, text, _ = strings.Cut(text, ",")
		first, last, _ := strings.Cut(one, "-")
		from, err1 := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		if err1 != nil || err2 != nil || from > to || len(*s) > 0 && from <= (*s)[len(*s)-1].Last {
			return fmt.Errorf("%q is no span that may stand there", one)
		}
		*s = append(*s, Span{from, to})
	}
	return nil
}

// with returns the spans and one that is beyond all of them; an empty one changes nothing.
func (s Spans) with(next Span) Spans {
	if next.First > next.Last {
		return s
	}
	all := append(slices.Clone(s), next)
	if len(all) > maxSpans {
		all[1].First = all[0].First
		all = all[1:]
	}
	return all
}

// without returns what is left of a stretch when the spans are taken out: stretches in order, none of them empty, bounded
// on both sides. Its own Before is set.
func (s Spans) without(stretch Stretch) []Stretch {
	var left []Stretch
	after := stretch.After
	add := func(before int64) {
		if after+1 < before {
			part := stretch
			part.After, part.Before = after, before
			left = append(left, part)
		}
	}
	for _, span := range s {
		add(min(span.First, stretch.Before))
		after = max(after, min(span.Last, stretch.Before))
	}
	add(stretch.Before)
	return left
}

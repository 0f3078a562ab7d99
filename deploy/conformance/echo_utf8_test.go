package conformance_test

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// greek is five characters in eleven octets.
const greek = "κ\u1f79σμε"

// textGroups are the texts of the numbers 6.5 to 6.23, in their order.
func textGroups() [][]string {
	lonely := func(from, to byte) string { // lead octets, each before a space
		var s strings.Builder
		for octet := from; octet < to; octet++ {
			s.Write([]byte{octet, ' '})
		}
		return s.String()
	}
	var continuations []byte
	for octet := byte(0x80); octet < 0xbf; octet++ {
		continuations = append(continuations, octet)
	}
	var prefixes []string
	for i := 1; i <= len(greek); i++ {
		prefixes = append(prefixes, greek[:i])
	}
	cut := []string{
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
	}
	return [][]string{
		{"hello$world", "hello¢world", "hello€world", "hello\U00024b62world", greek},
		prefixes,
		{"\x00", "\u0080", "\u0800", "\U00010000"}, // first of each length
		{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"},
		{"\x7f", "\u07ff", "\uffff", "\U0010ffff"}, // last of each length
		{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"},
		{"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\xf4\x90\x80\x80"},
		{
			"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf",
			string(continuations),
		},
		{lonely(0xc0, 0xdf), lonely(0xe0, 0xef), lonely(0xf0, 0xf7), lonely(0xf8, 0xfb), lonely(0xfc, 0xfd)},
		cut,
		{strings.Join(cut, "")},
		{"\xfe", "\xff", "\xfe\xfe\xff\xff"},
		{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"},
		{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"},
		{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"},
		{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"},
		surrogatePairs(),
		noncharacters(),
		{"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff"},
	}
}

func surrogatePairs() (pairs []string) {
	for _, high := range []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf"} {
		for _, low := range []string{"\xed\xb0\x80", "\xed\xbf\xbf"} {
			pairs = append(pairs, high+low)
		}
	}
	return pairs
}

// noncharacters are code points that are no characters and good UTF-8 all the same, at the end of each plane.
func noncharacters() (all []string) {
	for plane := rune(0); plane <= 0x10; plane++ {
		all = append(all, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return all
}

// texts is chapter 6.
func texts() []echoCase {
	const (
		long     = "Hello-µ@ßöäüàá-UTF-8!!"
		spoiled  = greek + "\xed\xa0\x80edited"
		tooLarge = "\xf4\x90\x80\x80" // above U+10FFFF
	)
	fragment := part(opText, "")
	all := []echoCase{
		answer("6.1.1 three empty fragments", []frame{fragment, part(opContinue, ""), part(fin|opContinue, "")}, text("")),
		answer("6.1.2 the first and the last are empty", []frame{fragment, part(opContinue, "middle frame payload"), part(fin|opContinue, "")}, text("middle frame payload")),
		answer("6.1.3 the two before the last are empty", []frame{fragment, part(opContinue, ""), part(fin|opContinue, "last")}, text("last")),
		same("6.2.1 good text", text(long)),
		answer("6.2.2 good text, cut between characters", fragments(opText, long, 11), text(long)),
		answer("6.2.3 good text, octet by octet", fragments(opText, long, 1), text(long)),
		answer("6.2.4 greek, octet by octet", fragments(opText, greek, 1), text(greek)),
		broken("6.3.1 bad text", 1007, text(spoiled)),
		broken("6.3.2 bad text, octet by octet", 1007, fragments(opText, spoiled, 1)...),
		// The server fails as soon as it shows: what ends the message is never sent.
		accepted("6.4.1 bad in the second of three frames", part(opText, greek), part(opContinue, tooLarge)),
		accepted("6.4.2 bad in the middle of a character, by frames", part(opText, greek+tooLarge[:1]), part(opContinue, tooLarge[1:2])),
		broken("6.4.3 bad in the second of three parts of a frame", 1007, text(greek+tooLarge+"edited")).chopped(6 + len(greek)),
		broken("6.4.4 bad in the middle of a character, by parts of a frame", 1007, text(greek+tooLarge+"edited")).chopped(7 + len(greek)),
	}
	for i, group := range textGroups() {
		for n, s := range group {
			name := fmt.Sprintf("6.%d.%d %+.40q", 5+i, n+1, s)
			if utf8.ValidString(s) {
				all = append(all, same(name, text(s)),
					answer(fmt.Sprintf("good %+q in fragments", s), fragments(opText, s, 1), text(s)))
				continue
			}
			all = append(all, broken(name, 1007, text(s)),
				broken(fmt.Sprintf("bad %+q in fragments", s), 1007, fragments(opText, s+"  ", 1)...),
				same(fmt.Sprintf("bad %+q as binary", s), bin(s)))
		}
	}
	return all
}

// accepted is a message of which the first frame is taken, as the pong behind it shows, and the second is not.
func accepted(name string, first, second frame) echoCase {
	return echoCase{name: name, rounds: []round{
		{send: []frame{first, ping("taken")}, want: []frame{pong("taken")}},
		{send: []frame{second}},
	}, code: 1007}
}

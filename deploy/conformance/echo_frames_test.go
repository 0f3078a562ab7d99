package conformance_test

import (
	"fmt"
	"slices"
	"strings"
)

func framing() []echoCase {
	var all []echoCase
	for i, n := range []int{0, 125, 126, 127, 128, 65535, 65536} {
		all = append(all,
			same(fmt.Sprintf("1.1.%d text of %d", i+1, n), text(strings.Repeat("*", n))),
			same(fmt.Sprintf("1.2.%d binary of %d", i+1, n), bin(strings.Repeat("\xfe", n))),
			same(fmt.Sprintf("binary of %d that could be text", n), bin(strings.Repeat("*", n))))
	}
	return append(all,
		same("1.1.8 text of 65536 in parts", text(strings.Repeat("*", 65536))).chopped(997),
		same("1.2.8 binary of 65536 in parts", bin(strings.Repeat("\xfe", 65536))).chopped(997))
}

func pings() []echoCase {
	full := strings.Repeat("\xfe", 125)
	var ten, tenBack []frame
	for i := range 10 {
		ten, tenBack = append(ten, ping(fmt.Sprint("payload-", i))), append(tenBack, pong(fmt.Sprint("payload-", i)))
	}
	return []echoCase{
		answer("2.1 ping of nothing", []frame{ping("")}, pong("")),
		answer("2.2 ping", []frame{ping("Hello, world!")}, pong("Hello, world!")),
		answer("2.3 ping of binary", []frame{ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")}, pong("\x00\xff\xfe\xfd\xfc\xfb\x00\xff")),
		answer("2.4 ping of 125", []frame{ping(full)}, pong(full)),
		broken("2.5 ping of 126", 1002, ping(full+"\xfe")),
		answer("2.6 ping of 125 byte by byte", []frame{ping(full)}, pong(full)).chopped(1),
		answer("2.7 pong that nobody asked for", []frame{pong("")}),
		answer("2.8 the same, with payload", []frame{pong("unsolicited")}),
		answer("2.9 the same, then a ping", []frame{pong("unsolicited"), ping("our own")}, pong("our own")),
		answer("2.10 ten pings", ten, tenBack...),
		answer("2.11 ten pings byte by byte", ten, tenBack...).chopped(1),
	}
}

// reserved are bits and opcodes that mean nothing.
func reserved() []echoCase {
	hello := text("Hello, world!")
	bits := func(bits byte) []frame { return []frame{hello, part(fin|bits<<4|opText, "Hello, world!"), ping("")} }
	opcode := func(op byte, payload string) []frame { return []frame{hello, part(fin|op, payload), ping("")} }
	all := []echoCase{
		broken("3.1 reserved bit 1", 1002, part(fin|1<<4|opText, "Hello, world!")),
		broken("3.2 reserved bit 2, after a text", 1002, bits(2)...).after(hello),
		broken("3.3 reserved bits 3, after a text, in parts", 1002, bits(3)...).after(hello).chopped(19),
		broken("3.4 reserved bit 4, after a text, byte by byte", 1002, bits(4)...).after(hello).chopped(1),
		broken("3.5 reserved bits 5 of a binary", 1002, part(fin|5<<4|opBinary, "\x00\xff\xfe\xfd\xfc\xfb\x00\xff")),
		broken("3.6 reserved bits 6 of a ping", 1002, part(fin|6<<4|opPing, "Hello, world!")),
		broken("3.7 reserved bits 7 of a close", 1002, part(fin|7<<4|opClose, "")),
	}
	for i, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		name, payload := fmt.Sprintf("4.%d.%d opcode %d", 1+i/5, 1+i%5, op), ""
		switch i % 5 {
		case 1:
			all = append(all, broken(name+" with payload", 1002, part(fin|op, "reserved payload")))
			continue
		case 0:
			all = append(all, broken(name, 1002, part(fin|op, "")))
			continue
		case 3, 4:
			payload = "reserved payload"
		}
		c := broken(name+", after a text", 1002, opcode(op, payload)...).after(hello)
		if i%5 == 4 {
			c = c.chopped(1)
		}
		all = append(all, c)
	}
	return all
}

// bySteps is a case three times: in one, frame by frame, and byte by byte.
func bySteps(first int, c echoCase) []echoCase {
	all := make([]echoCase, 3)
	for i, how := range []struct {
		name  string
		chops int
	}{{"", 0}, {", in parts", 15}, {", byte by byte", 1}} {
		all[i] = c
		all[i].name = fmt.Sprintf("5.%d %s%s", first+i, c.name, how.name)
		all[i].chops = how.chops
	}
	return all
}

func fragmentation() []echoCase {
	const whole = "fragment1fragment2"
	two := fragments(opText, whole, 9)
	between := answer("a ping between two", []frame{two[0], ping("ping payload"), two[1]}, pong("ping payload"), text(whole))
	all := []echoCase{
		broken("5.1 ping in fragments", 1002, part(opPing, "fragment1"), part(fin|opContinue, "fragment2")),
		broken("5.2 pong in fragments", 1002, part(opPong, "fragment1"), part(fin|opContinue, "fragment2")),
	}
	all = append(all, bySteps(3, answer("two fragments", two, text(whole)))...)
	all = append(all, bySteps(6, between)...)
	all = append(all, bySteps(9, broken("an end of nothing", 1002, part(fin|opContinue, "non-continuation payload"), text("Hello, world!")))...)
	all = append(all, bySteps(12, broken("a continuation of nothing", 1002, part(opContinue, "non-continuation payload"), text("Hello, world!")))...)
	five := fragments(opText, "fragment1fragment2fragment3fragment4fragment5", 9)
	pinged := echoCase{rounds: []round{
		{send: []frame{five[0], five[1], ping("pongme 1!")}, want: []frame{pong("pongme 1!")}}, // answered before the message ends
		{send: []frame{five[2], five[3], ping("pongme 2!"), five[4]}, want: []frame{pong("pongme 2!"), text("fragment1fragment2fragment3fragment4fragment5")}},
	}}
	whole5, parts5 := pinged, pinged.chopped(15)
	whole5.name, parts5.name = "5.19 pings between five fragments", "5.20 pings between five fragments, in parts"
	return append(all,
		broken("5.15 a continuation after the end", 1002, two[0], two[1], part(opContinue, "fragment3"), text("fragment4")).after(text(whole)),
		broken("5.16 a continuation before each of two messages", 1002,
			slices.Repeat([]frame{part(opContinue, "fragment1"), part(opText, "fragment2"), part(fin|opContinue, "fragment3")}, 2)...),
		broken("5.17 an end before each of two messages", 1002,
			slices.Repeat([]frame{part(fin|opContinue, "fragment1"), part(opText, "fragment2"), part(fin|opContinue, "fragment3")}, 2)...),
		broken("5.18 a text within a text", 1002, part(opText, "fragment1"), part(fin|opText, "fragment2")),
		whole5, parts5,
		answer("empty fragments of a binary", []frame{part(opBinary, ""), part(opContinue, ""), part(fin|opContinue, "")}, bin("")))
}

func closing() []echoCase {
	hello, large := text("Hello World!"), text(strings.Repeat("BAsd7&jh23", 26214))
	all := []echoCase{
		same("7.1.1 a text, then close", hello),
		answer("7.1.2 close twice", []frame{byeFrame(1000, ""), byeFrame(1000, "")}),
		answer("7.1.3 ping after close", []frame{byeFrame(1000, ""), ping("")}),
		answer("7.1.4 text after close", []frame{byeFrame(1000, ""), hello}),
		answer("7.1.5 close within a message", []frame{part(opText, "fragment1"), byeFrame(1000, ""), part(fin|opContinue, "fragment2")}),
		// What has not left the server when a ping comes behind the close frame may get lost, so the echo is awaited first.
		{name: "7.1.6 256 KiB and a text, then close and ping", rounds: []round{
			{send: []frame{large, hello}, want: []frame{large, hello}},
			{send: []frame{byeFrame(1000, ""), ping("")}},
		}},
		{name: "7.3.1 close without a code", rounds: []round{{send: []frame{part(fin|opClose, "")}}}, code: -1},
		broken("7.3.2 close of one byte", 1002, part(fin|opClose, "a")),
		answer("7.3.3 close with a code", []frame{byeFrame(1000, "")}),
		answer("7.3.4 close with a reason", []frame{byeFrame(1000, "Hello World!")}),
		answer("7.3.5 close with a reason of 123", []frame{byeFrame(1000, strings.Repeat("*", 123))}),
		broken("7.3.6 close with a reason of 124", 1002, byeFrame(1000, strings.Repeat("*", 124))),
		broken("7.5.1 close with a reason that is no UTF-8", 1007, byeFrame(1000, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited")),
	}
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		all = append(all, echoCase{name: fmt.Sprintf("7.7.%d close with %d", i+1, code), rounds: []round{{send: []frame{byeFrame(code, "")}}}, code: code})
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		all = append(all, broken(fmt.Sprintf("7.9.%d close with %d", i+1, code), 1002, byeFrame(code, "")))
	}
	return append(all, broken("7.13.1 close with 5000", 1002, byeFrame(5000, "")), broken("7.13.2 close with 65535", 1002, byeFrame(65535, "")))
}

// sizes are chapters 9 and 10: large messages, fragments and parts of all sizes, and a thousand round trips.
func sizes() []echoCase {
	const kib, mib = 1 << 10, 1 << 20
	letters, octets := strings.Repeat("*", 16*mib), strings.Repeat("\xfe", 16*mib)
	var all []echoCase
	for i, n := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
		all = append(all, same(fmt.Sprintf("9.1.%d text of %d", i+1, n), text(letters[:n])),
			same(fmt.Sprintf("9.2.%d binary of %d", i+1, n), bin(octets[:n])))
	}
	for i, n := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
		all = append(all, answer(fmt.Sprintf("9.3.%d fragments of %d", i+1, n), fragments(opText, letters[:4*mib], n), text(letters[:4*mib])),
			answer(fmt.Sprintf("9.4.%d binary fragments of %d", i+1, n), fragments(opBinary, octets[:4*mib], n), bin(octets[:4*mib])))
	}
	for i, n := range []int{64, 128, 256, 512, kib, 2 * kib} {
		all = append(all, same(fmt.Sprintf("9.5.%d text in parts of %d", i+1, n), text(letters[:mib])).chopped(n),
			same(fmt.Sprintf("9.6.%d binary in parts of %d", i+1, n), bin(octets[:mib])).chopped(n))
	}
	for i, n := range []int{0, 16, 64, 256, kib, 4 * kib} {
		trip, back := text(letters[:n]), bin(octets[:n])
		all = append(all,
			echoCase{name: fmt.Sprintf("9.7.%d a thousand texts of %d", i+1, n), rounds: slices.Repeat([]round{{[]frame{trip}, []frame{trip}}}, 1000)},
			echoCase{name: fmt.Sprintf("9.8.%d a thousand binaries of %d", i+1, n), rounds: slices.Repeat([]round{{[]frame{back}, []frame{back}}}, 1000)})
	}
	return append(all, answer("10.1.1 65536 in fragments of 1300", fragments(opText, letters[:65536], 1300), text(letters[:65536])))
}

package sockjs

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	preludeSize = 2048 // of xhr_streaming: what old browsers keep back before they show anything
	headSize    = 1024 // of htmlfile, for the same reason
	smallBody   = 4 << 10
	// writeTimeout is how long a client may take for one write.
	writeTimeout = 10 * time.Second
)

// closeBusy answers a request while another one waits for messages of the same session.
var closeBusy = closeFrame(2010, "Another connection still open")

// format is how frames stand in an answer.
type format struct {
	contentType string
	streaming   bool // many frames in one answer; else one
	callback    bool // the request names a JavaScript function
	name        string
	prelude     func(f *format) string
	wrap        func(f *format, dst, frame []byte) []byte
}

var (
	xhrFormat          = format{contentType: javaScript, wrap: line}
	xhrStreamingFormat = format{
		contentType: javaScript, streaming: true, wrap: line,
		prelude: func(*format) string { return strings.Repeat("h", preludeSize) + "\n" },
	}
	eventSourceFormat = format{
		contentType: eventStream, streaming: true,
		prelude: func(*format) string { return "\r\n" },
		wrap: func(_ *format, dst, frame []byte) []byte {
			// No frame holds an end of line: JSON escapes them.
			return append(append(append(dst, "data: "...), frame...), "\r\n\r\n"...)
		},
	}
	htmlFileFormat = format{
		contentType: htmlType, streaming: true, callback: true,
		prelude: func(f *format) string {
			head := strings.Replace(htmlFileHead, "{{callback}}", f.name, 1)
			return head + strings.Repeat(" ", max(0, headSize-len(head))) + "\r\n\r\n"
		},
		wrap: func(_ *format, dst, frame []byte) []byte {
			return append(appendQuoted(append(dst, "<script>\np("...), frame, true), ");\n</script>\r\n"...)
		},
	}
	jsonpFormat = format{
		contentType: javaScript, callback: true,
		wrap: func(f *format, dst, frame []byte) []byte {
			dst = append(append(dst, f.name...), '(')
			return append(appendQuoted(dst, frame, true), ");\r\n"...)
		},
	}
)

func line(_ *format, dst, frame []byte) []byte { return append(append(dst, frame...), '\n') }

const htmlFileHead = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.{{callback}};
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>
`

// callbackName is what may stand for a function in our scripts: a name, with dots, and nothing that is more.
var callbackName = regexp.MustCompile(`^[a-zA-Z0-9_$.]{1,128}$`)

// settleIn makes ready to wait for messages, and answers a request without a callback where one is needed.
func settleIn(w http.ResponseWriter, r *http.Request, f *format) bool {
	if f.callback {
		f.name = r.URL.Query().Get("c")
		if f.name == "" {
			f.name = r.URL.Query().Get("callback")
		}
		switch {
		case f.name == "":
			http.Error(w, `"callback" parameter required`, http.StatusInternalServerError)
			return false
		case !callbackName.MatchString(f.name):
			http.Error(w, `invalid "callback" parameter`, http.StatusInternalServerError)
			return false
		}
	}
	// The body says nothing. Once it is read the server notices when the client goes.
	_, _ = io.CopyN(io.Discard, r.Body, smallBody)
	r.Body = http.NoBody
	// Where a deadline cannot be set, none is.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return true
}

// answer is an answer under way.
type answer struct {
	w      http.ResponseWriter
	flush  *http.ResponseController
	format *format
	sent   int // bytes of frames
}

// receive gives a client the messages of its session: those that wait, or the next that come.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, c *Conn, f format) {
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("X-Accel-Buffering", "no") // nginx
	a := &answer{w: w, flush: http.NewResponseController(w), format: &f}
	wake, ok := c.attach(r.Context())
	if !ok {
		_ = a.begin()
		_ = a.write(closeBusy)
		return
	}
	defer c.detach(wake)
	if h.stream(r, c, a, wake) != nil {
		c.interrupt()
	}
}

// stream writes frames until the answer is to end; an error says that the client has not got all.
func (h *Handler) stream(r *http.Request, c *Conn, a *answer, wake <-chan struct{}) error {
	if err := a.begin(); err != nil {
		return err
	}
	silence := time.NewTimer(h.opts.Tuning.Heartbeat)
	defer silence.Stop()
	frame := frames.Get().(*[]byte)
	defer release(frame)
	for {
		next, last := c.take((*frame)[:0])
		*frame = next
		if len(next) == 0 {
			select {
			case <-wake:
				continue
			case <-r.Context().Done():
				return r.Context().Err()
			case <-silence.C:
				next = []byte(frameHeartbeat)
			}
		}
		if err := a.write(next); err != nil {
			return err
		}
		if last || !a.format.streaming || a.sent >= h.opts.Tuning.ResponseLimit {
			return nil
		}
		silence.Reset(h.opts.Tuning.Heartbeat)
	}
}

// begin sends the header of a streaming answer, and what has to come before the first frame.
func (a *answer) begin() error {
	if !a.format.streaming {
		return nil
	}
	return a.push([]byte(a.format.prelude(a.format)))
}

// write sends a frame. A streaming answer is flushed, frame by frame; the others are when they end.
func (a *answer) write(frame []byte) error {
	buffer := frames.Get().(*[]byte)
	defer release(buffer)
	*buffer = a.format.wrap(a.format, (*buffer)[:0], frame)
	a.sent += len(*buffer)
	return a.push(*buffer)
}

func (a *answer) push(p []byte) error {
	// Where a deadline cannot be set, the server's own has to do.
	_ = a.flush.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := a.w.Write(p); err != nil || !a.format.streaming {
		return err
	}
	return a.flush.Flush()
}

package rest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	chatv1 "github.com/fliliy/chat/proto/gen/go/chat/v1"
)

// timeFormat is the contract's: RFC 3339, UTC, milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// marshaler writes messages as the client contract's JSON and reads requests as lenient protojson. It differs from
// protojson in what it writes:
//   - 64-bit numbers are JSON numbers, except ids (fields named …_id), which are strings;
//   - an Event is its json field as it is, so that history equals what was received live;
//   - enum values lose the prefix of their enum, times have milliseconds;
//   - empty strings, zeros, false and [] are written; what has presence (messages, optional) is left out when absent.
type marshaler struct{}

func (marshaler) ContentType(any) string { return "application/json" }

func (marshaler) Marshal(v any) ([]byte, error) {
	message, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("marshal %T: it is no protobuf message", v)
	}
	return appendMessage(nil, message.ProtoReflect())
}

func (m marshaler) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		body, err := m.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(body)
		return err
	})
}

// NewDecoder reads everything as one value; nothing at all is io.EOF, which grpc-gateway takes for an empty message.
func (m marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			return io.EOF
		}
		return m.Unmarshal(data, v)
	})
}

func (marshaler) Unmarshal(data []byte, v any) error {
	message, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("unmarshal into %T: it is no protobuf message", v)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, message); err != nil {
		// protojson says "proto: " with one of two spaces, chosen at random so that nobody relies on its texts.
		text := strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: ")
		return errors.New("the body is not the JSON object that belongs here: " + text)
	}
	return nil
}

func appendMessage(dst []byte, m protoreflect.Message) ([]byte, error) {
	switch message := m.Interface().(type) {
	case *chatv1.Event:
		if !json.Valid(message.GetJson()) {
			return nil, fmt.Errorf("event %q is no JSON", message.GetMessageId())
		}
		return append(dst, message.GetJson()...), nil
	case *timestamppb.Timestamp:
		return message.AsTime().AppendFormat(append(dst, '"'), timeFormat+`"`), nil
	}
	dst = append(dst, '{')
	fields, first := m.Descriptor().Fields(), true
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.HasPresence() && !m.Has(field) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(strconv.AppendQuote(dst, field.JSONName()), ':')
		var err error
		if dst, err = appendField(dst, field, m.Get(field)); err != nil {
			return nil, fmt.Errorf("field %s: %w", field.FullName(), err)
		}
	}
	return append(dst, '}'), nil
}

func appendField(dst []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	if field.IsMap() {
		return nil, errors.New("the contract has no JSON for maps")
	}
	if !field.IsList() {
		return appendValue(dst, field, value)
	}
	dst = append(dst, '[')
	list := value.List()
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendValue(dst, field, list.Get(i)); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendValue(dst []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(dst, value.Message())
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, value.Bool()), nil
	case protoreflect.StringKind:
		return appendString(dst, value.String())
	case protoreflect.BytesKind:
		return appendString(dst, base64.StdEncoding.EncodeToString(value.Bytes()))
	case protoreflect.EnumKind:
		return appendString(dst, enumWord(field.Enum(), value.Enum()))
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if math.IsNaN(value.Float()) || math.IsInf(value.Float(), 0) {
			return nil, fmt.Errorf("%v is no JSON number", value.Float())
		}
		return strconv.AppendFloat(dst, value.Float(), 'g', -1, 64), nil
	default: // all that is left are whole numbers, and String writes them in decimal
		if strings.HasSuffix(string(field.Name()), "_id") {
			return append(append(append(dst, '"'), value.String()...), '"'), nil
		}
		return append(dst, value.String()...), nil
	}
}

func appendString(dst []byte, s string) ([]byte, error) {
	quoted, err := json.Marshal(s)
	return append(dst, quoted...), err
}

// enumWord is the value's name without the enum's prefix; a value newer than this gateway is its number.
func enumWord(enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) string {
	value := enum.Values().ByNumber(number)
	if value == nil {
		return strconv.Itoa(int(number))
	}
	return strings.TrimPrefix(string(value.Name()), enumPrefix(string(enum.Values().Get(0).Name())))
}

// enumPrefix is what all values of an enum begin with, judged by the name of its zero value, as buf lint has it.
func enumPrefix(zero string) string {
	prefix, ok := strings.CutSuffix(zero, "UNSPECIFIED")
	if !ok {
		return ""
	}
	return prefix
}

// SPDX-License-Identifier: MIT

package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRequest(t *testing.T) {
	for line, want := range map[string]Request{
		`{"command":"inc"}`:                             {Command: Inc},
		`{"command":"inc","args":[]}` + "\r\n":          {Command: Inc, Args: []string{}},
		`{"command":"signal","args":["usr1"],"id":"a"}`: {Command: Signal, Args: []string{"usr1"}, ID: json.RawMessage(`"a"`)},
		`{"command":"status","id":7,"unknown":{}}`:      {Command: StatusCmd, ID: json.RawMessage(`7`)},
		`{"command":"status","id":null}`:                {Command: StatusCmd},
		`{"command":"worker:ack", "pid":4711}`:          {Command: WorkerAck, PID: 4711},
		`{"command":"worker:ping","pid":1,"request_id":"x\u0000y"}`: {
			Command: WorkerPing, PID: 1, RequestID: "x\x00y",
		},
		`{"command":"ehlo","Command":"die","ID":1,"Pid":-3}`: {Command: Ehlo}, // keys match exactly
	} {
		got, err := ParseRequest([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestBadRequests(t *testing.T) {
	for line, named := range map[string]string{
		``:                                    "JSON object",
		`inc`:                                 "JSON object",
		`"inc"`:                               "JSON object",
		`null`:                                "JSON object",
		`[{"command":"inc"}]`:                 "JSON object",
		`{"command":"inc"`:                    "JSON object",
		`{}`:                                  `"command"`,
		`{"COMMAND":"inc"}`:                   `"command"`,
		`{"command":7}`:                       `"command"`,
		`{"command":""}`:                      `"command"`,
		`{"command":"inc","args":"2"}`:        `"args"`,
		`{"command":"inc","args":[2]}`:        `"args"`,
		`{"command":"inc","id":{}}`:           `"id"`,
		`{"command":"inc","id":[1]}`:          `"id"`,
		`{"command":"inc","id":true}`:         `"id"`,
		`{"command":"worker:ack","pid":"1"}`:  `"pid"`,
		`{"command":"worker:ack","pid":0}`:    `"pid"`,
		`{"command":"worker:ack","pid":-1}`:   `"pid"`,
		`{"command":"worker:ack","pid":1e99}`: `"pid"`,
		`{"command":"worker:ping","request_id":3}`:                                             `"request_id"`,
		`{"command":"worker:ping","request_id":"` + strings.Repeat("x", MaxRequestID+1) + `"}`: `"request_id"`,
	} {
		_, err := ParseRequest([]byte(line))
		var e *Error
		if !errors.As(err, &e) || e.Code != BadRequest || !strings.Contains(e.Message, named) {
			t.Errorf("%s: the error is %v, want a %s that names %s", line, err, BadRequest, named)
		}
	}
}

func TestIDComesBackBesideAnError(t *testing.T) {
	r, err := ParseRequest([]byte(`{"id":"x","command":"inc","args":3}`))
	if err == nil || string(r.ID) != `"x"` {
		t.Errorf("the id is %s beside %v", r.ID, err)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, line := range []string{
		`{"command":"worker:ack", "pid":4711}`, `{"command":"inc","args":["2"],"id":1}`,
		`{"command":"worker:ping","pid":1,"request_id":"r"}`, `{"id":"a"}`, `---`, `null`, `{"command":"x","id":1.5e3}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRequest(line)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != BadRequest || e.Message == "" {
				t.Fatalf("the error is %#v", err)
			}
			return
		}
		if r.Command == "" || r.PID < 0 || len(r.RequestID) > MaxRequestID {
			t.Fatalf("accepted %+v", r)
		}
		again, err := ParseRequest(Encode(r))
		if err != nil || string(Encode(again)) != string(Encode(r)) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

func FuzzParseReply(f *testing.F) {
	f.Add([]byte(`{"request_id":1,"ok":true,"message":"m","data":{"a":1},"wait":true}`))
	f.Add([]byte(`{"request_id":"x","ok":false,"error":{"code":"aborted","message":"why"}}`))
	f.Add([]byte(`"a string"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseReply(line)
		if err != nil {
			return
		}
		again, err := ParseReply(Encode(r))
		if err != nil || string(Encode(again)) != string(Encode(r)) {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

func TestParseReplyTellsStringsFromObjects(t *testing.T) {
	if _, err := ParseReply([]byte(`"Spawned! Went from 1 to 2"`)); !errors.Is(err, ErrNotReply) {
		t.Errorf("a string gives %v, want ErrNotReply", err)
	}
	if _, err := ParseReply([]byte(`{"ok":"yes"}`)); err == nil || errors.Is(err, ErrNotReply) {
		t.Errorf("an ill-typed object gives %v", err)
	}
}

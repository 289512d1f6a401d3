// SPDX-License-Identifier: MIT

package client

import (
	"encoding/json"
	"errors"
	"testing"

	"einhyrningsins/internal/wire"

	"github.com/google/go-cmp/cmp"
)

func TestConfig(t *testing.T) {
	all := wire.Settings{Settings: []wire.Setting{{Key: "number", Value: "4", Changeable: true}, {Key: "bind", Value: ":80 :81"}}}
	partly := all
	partly.Changed = []wire.Change{{Key: "number", From: "3", To: "4"}}
	partly.Refused = []wire.Refusal{{Key: "bind", Value: ":82", Reason: "needs a restart"}}
	var asked []string
	f := newFake(t, func(s *session, r wire.Request) bool {
		asked = r.Args
		rep := wire.Reply{OK: true}
		switch {
		case len(r.Args) == 0:
			rep.Data, _ = json.Marshal(all)
		case r.Args[0] == "odd":
			rep.Data = json.RawMessage(`7`)
		case r.Args[0] == "none":
			return s.fail(r, wire.BadRequest, "no")
		default:
			rep = wire.Reply{Err: wire.Errorf(wire.Refused, "cannot set bind")}
			rep.Data, _ = json.Marshal(partly)
		}
		s.reply(r, rep)
		return true
	})
	c, ctx := connect(t, f.path), testContext(t)
	got, err := c.Config(ctx)
	if diff := cmp.Diff(&all, got); err != nil || diff != "" || asked != nil {
		t.Errorf("config asked %q: %v (-want +got):\n%s", asked, err, diff)
	}
	var refused *Error
	got, err = c.SetConfig(ctx, "number=4", "bind=:82")
	if diff := cmp.Diff(&partly, got); !errors.As(err, &refused) || diff != "" {
		t.Errorf("partly refused: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"number=4", "bind=:82"}, asked); diff != "" {
		t.Errorf("on the wire (-want +got):\n%s", diff)
	}
	if got, err = c.SetConfig(ctx, "none"); !errors.As(err, &refused) || refused.Code != BadRequest || got != nil {
		t.Errorf("refused as a whole: got %v, %v", got, err)
	}
	if got, err = c.SetConfig(ctx, "odd"); err == nil || got != nil {
		t.Errorf("no settings in the answer: got %v, %v", got, err)
	}
}

package sqs

import (
	"os"
	"testing"

	"github.com/belfry-push/belfry/test/standins"
)

var servers standins.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

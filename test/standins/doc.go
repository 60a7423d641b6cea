// Package standins runs other people's stand-ins for AWS on loopback, for tests
// and for development: fauxqs (SQS, SNS, STS) and dynalite (DynamoDB) on Node,
// gofakes3 (S3) in this process. Nothing of it is shipped, and nothing in the
// product bends to a stand-in's faults.
//
// A test binary shares one set, started when a test first asks for it:
//
//	var servers standins.Servers
//
//	func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }
//
//	func TestX(t *testing.T) { target := servers.Messaging(t) … }
//
// The environment decides what the tests run against:
//
//   - Without Node and npm, tests that need the stand-ins are skipped with
//     "AWS suites left out: …"; BELFRY_REQUIRE_STANDINS=1 makes them fail.
//   - BELFRY_LEAVE_OUT_STANDINS=1 skips them although they could run.
//   - BELFRY_AWS_E2E=1 runs them against the AWS account of the standard AWS
//     environment instead, under a prefix of their own. They clean up after
//     themselves and cost cents.
package standins

// The environment variables that this package reads.
const (
	envRequire  = "BELFRY_REQUIRE_STANDINS"
	envLeaveOut = "BELFRY_LEAVE_OUT_STANDINS"
	envAccount  = "BELFRY_AWS_E2E"
)

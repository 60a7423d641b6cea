// Command bench compares ways of sending through FCM, all to the same stand-in over TLS, in one run and in shuffled
// rounds, so that what the machine does meanwhile meets all of them alike:
//
//   - net/http's HTTP/2 client with a body that was built before: the baseline;
//   - Belfry's sender alone, which renders each message, sends it and classifies the answer;
//   - the pipeline, to devices that the registry knows, and to devices that it does not;
//   - SendEachForMulticast of Google's official client.
//
// A contender is a process of its own, and so is the stand-in. What is compared are ratios to the baseline of the same
// round; each figure is the median of the rounds. docs/performance.md has the method.
package main

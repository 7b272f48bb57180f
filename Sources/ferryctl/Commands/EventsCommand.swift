internal import APIClient
internal import ArgumentParser

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Tell what has happened, or follow what happens.",
        discussion: """
            Without --follow it tells every event the server keeps, up to now. With it, those from \
            now on; after a break it goes on with the event that is next. Events that are missing are \
            told of on stderr.

              ferryctl events --follow --filter 'type = job.changed and state = failed'
              ferryctl events --json --after ID
            """
    )

    @Flag(help: "Go on with what happens, until it is interrupted.")
    var follow = false

    @Option(
        help: ArgumentHelp("Tell only what this is true of.", valueName: "expression")
    )
    var filter: String?

    @Option(help: ArgumentHelp("Begin behind this event.", valueName: "id"))
    var after: String?

    @OptionGroup var options: ServerOptions

    func validate() throws {
        // It becomes a header.
        guard after?.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) ?? true else {
            throw ValidationError("'\(after ?? "")' is no id of an event.")
        }
    }

    func run() throws {
        try options.run { client, printer throws(ClientProblem) in
            let follower = EventFollower(client: client, printer: printer, filter: filter)
            if follow { try follower.follow(from: after) }
            try follower.replay(from: after)
            return .success
        }
    }
}

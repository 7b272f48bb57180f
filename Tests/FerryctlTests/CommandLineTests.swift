import APIClient
import APISchema
import ArgumentParser
import Testing

@testable import ferryctl

@Suite("The command line takes what a person would write")
struct CommandLineTests {
    @Test(
        "what every command takes may stand before its name or after it",
        arguments: [
            ["--server", "unix:/x", "--json", "jobs"], ["jobs", "--server", "unix:/x", "--json"],
            ["--json", "jobs", "--server", "unix:/x"],
        ]
    )
    func globalOptions(_ words: [String]) throws {
        let command = try #require(try Ferryctl.parseAsRoot(words) as? JobsCommand)
        #expect(command.options.server?.description == "unix:/x")
        #expect(command.options.json)
    }

    @Test("the same in commands of commands")
    func nestedOptions() throws {
        for words in [
            ["--context", "lab", "session", "close", "s"],
            ["session", "--context", "lab", "close", "s"],
            ["session", "close", "s", "--context", "lab"],
        ] {
            let command = try #require(try Ferryctl.parseAsRoot(words) as? SessionCloseCommand)
            #expect(command.options.context == "lab")
        }
    }

    @Test("the audit is a list, or one record")
    func audit() throws {
        let list = try #require(
            try Ferryctl.parseAsRoot(["audit", "--filter", "state=failed"]) as? AuditCommand
        )
        #expect((list.id, list.list.filter) == (nil, "state=failed"))
        let one = try #require(
            try Ferryctl.parseAsRoot(["--json", "audit", "aud-1"]) as? AuditCommand
        )
        #expect(one.id == "aud-1")
    }

    @Test("a job and an image are shown without a word for it")
    func defaultCommands() throws {
        let job = try #require(
            try Ferryctl.parseAsRoot(["job", "move", "--timeline"]) as? JobShowCommand
        )
        #expect(job.id == "move")
        #expect(job.timeline)
        let image = try #require(try Ferryctl.parseAsRoot(["image", "i"]) as? ImageShowCommand)
        #expect(image.id == "i")
        #expect(try Ferryctl.parseAsRoot(["image", "verify", "i"]) is ImageVerifyCommand)
        #expect(try Ferryctl.parseAsRoot(["job", "delete", "a", "b"]) is JobDeleteCommand)
    }

    @Test(
        "what makes no sense is refused before anything is asked",
        arguments: [
            ["jobs", "--limit", "0"], ["job", "j", "--journal", "--timeline"], ["wait"],
            ["wait", "j", "--timeout", "-1"], ["save", "d", "--check", "--wait"],
            ["context", "set", "a b", "unix:/x"], ["context", "set", "a", "http://x"],
            ["events", "--after", "a\r\nX: y"], ["explain", "no-such-code"], ["completion", "csh"],
            ["--server", "nowhere", "jobs"],
        ]
    )
    func nonsense(_ words: [String]) {
        #expect(throws: (any Error).self) { try Ferryctl.parseAsRoot(words) }
    }

    @Test("every command says what it does, and those with a wait say it is the exit code")
    func help() {
        var commands: [any ParsableCommand.Type] = [Ferryctl.self]
        var count = 0
        while let command = commands.popLast() {
            count += 1
            #expect(!command.configuration.abstract.isEmpty, "\(command)")
            commands += command.configuration.subcommands
            commands += command.configuration.groupedSubcommands.flatMap(\.subcommands)
        }
        #expect(count > 30)
    }

    @Test("each shell gets a script that completes names by asking")
    func completion() {
        for shell in [CompletionShell.bash, .zsh, .fish] {
            let script = Ferryctl.completionScript(for: shell)
            #expect(script.contains("---completion"))
            #expect(script.contains("switchover"))
        }
    }
}

@Suite("What the server says is told in a person's words")
struct WordsTests {
    @Test("fields of the API become flags")
    func flags() {
        #expect(
            FlagNames.spoken("restoring it makes a copy; say accept_copy.")
                == "restoring it makes a copy; say --accept-copy."
        )
        #expect(FlagNames.spoken("not_accept_copy, id, after") == "not_accept_copy, id, after")
        #expect(FlagNames.spoken("") == "")
        #expect(FlagNames.field("/limits/downtime_ms") == "/limits/downtime_ms (--downtime)")
        #expect(FlagNames.field("/devices/0/source") == "/devices/0/source")
        #expect(FlagNames.field("") == "the whole body")
    }

    @Test("every flag that a field becomes is one that some command has")
    func flagsExist() {
        let commands: [any ParsableCommand.Type] = [
            RestoreCommand.self, SaveCommand.self, MigrateCommand.self, ResolveCommand.self,
            SessionOpenCommand.self, SessionCloseCommand.self, LimitsCommand.self,
            JobsCommand.self,
        ]
        let help = commands.map { Ferryctl.helpMessage(for: $0) }.joined()
        for flag in FlagNames.all {
            #expect(help.contains("\(flag) ") || help.contains("\(flag)\n"), "\(flag)")
        }
    }

    @Test("only a terminal is coloured, and not against a person's wish")
    func colours() {
        func terminal(_ isInteractive: Bool, _ variables: [String: String] = [:]) -> Terminal {
            Terminal(descriptor: -1, isInteractive: isInteractive) { variables[$0] }
        }
        var table = Table("JOB", "STATE")
        table.add("failed", "failed")
        table.add("b", "succeeded")
        let plain = "JOB     STATE\nfailed  failed\nb       succeeded\n"
        for plainOne in [
            terminal(false), terminal(true, ["NO_COLOR": "1"]), terminal(true, ["TERM": "dumb"]),
        ] { #expect(table.text(on: plainOne) == plain) }
        #expect(
            table.text(on: terminal(true, ["NO_COLOR": ""])) == """
                \u{1b}[1mJOB\u{1b}[0m     \u{1b}[1mSTATE\u{1b}[0m
                failed  \u{1b}[31mfailed\u{1b}[0m
                b       \u{1b}[32msucceeded\u{1b}[0m

                """
        )
    }

    @Test("the first variable of the locale that is set decides")
    func locales() {
        func speaks(_ variables: [String: String]) -> Bool {
            Terminal(descriptor: -1, isInteractive: true) { variables[$0] }.speaksUTF8
        }
        #expect(speaks(["LANG": "de_DE.UTF-8"]))
        #expect(speaks(["LC_ALL": "", "LC_CTYPE": "C.utf8", "LANG": "C"]))
        #expect(!speaks(["LC_ALL": "C", "LANG": "de_DE.UTF-8"]))
        #expect(!speaks([:]))
    }

    @Test("a check says every reason")
    func checks() {
        var problem = ProblemDTO(code: "target-has-content", title: "t", status: 409, detail: "d")
        problem.reasons = ["say discard_target_content"]
        let other = ProblemDTO(code: "device-busy", title: "busy\u{7}", status: 409, detail: "e")
        let text = CheckReport.text(JobCheckDTO(problems: [problem, other], warnings: ["w"]))
        for part in ["would be refused", "--discard-target-content", "busy\\u{7}", "warning: w"] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(CheckReport.text(JobCheckDTO(problems: [], warnings: [])).contains("accepted"))
    }

    @Test("the worst end of several jobs is the exit code")
    func ends() {
        func ends(_ states: String...) -> ferryctl.ExitStatus {
            ferryctl.ExitStatus(endsOf: states.map { FerryctlTests.job($0) })
        }
        #expect(ends("succeeded", "succeeded") == .success)
        #expect(ends("succeeded", "cancelled", "failed") == .jobFailed)
        #expect(ends("failed", "indeterminate") == .jobIndeterminate)
        #expect(ends("indeterminate", "running") == .timeIsOver)
    }
}

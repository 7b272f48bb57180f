internal import ArgumentParser

struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Show an image, verify, delete, download or upload it.",
        discussion: """
              ferryctl image nightly                    what is in it
              ferryctl image verify nightly             is every byte as it was saved?
              ferryctl image download nightly n.tar     goes on where it broke off
              ferryctl --context lab image upload nightly n.tar
            """,
        subcommands: [
            ImageShowCommand.self, ImageVerifyCommand.self, ImageDownloadCommand.self,
            ImageUploadCommand.self, ImageDeleteCommand.self,
        ],
        defaultSubcommand: ImageShowCommand.self
    )
}

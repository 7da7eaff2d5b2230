// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "WebhookAndPoll",
    dependencies: [.package(name: "tallystick", path: "../..")],
    targets: [
        .executableTarget(
            name: "WebhookAndPoll",
            dependencies: [
                .product(name: "Tallystick", package: "tallystick"),
                .product(name: "TallystickCore", package: "tallystick"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)

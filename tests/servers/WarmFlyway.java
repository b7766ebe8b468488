package org.flywaydb.commandline;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Runs Flyway for who asks at a socket, each time with other arguments and another environment, until input ends. */
public final class WarmFlyway {
    /** Whom it answers now, if anybody: the end of an earlier one may be seen late. */
    private static volatile InputStream answered;

    public static void main(String[] arguments) throws Exception {
        var environment = environment();
        try (var listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listening.bind(UnixDomainSocketAddress.of(arguments[0]));
            System.out.println();
            haltAtEnd(System.in);
            while (true) {
                try (var asked = listening.accept()) {
                    answer(asked, environment);
                }
            }
        }
    }

    private static void answer(SocketChannel asked, Map<String, String> environment) throws Exception {
        var input = new DataInputStream(Channels.newInputStream(asked));
        var told = List.of(new String(input.readNBytes(input.readInt())).split("\0"));
        var count = Integer.parseInt(told.get(0)) + 1;
        environment.clear();
        for (var variable : told.subList(count, told.size())) {
            var equals = variable.indexOf('=');
            environment.put(variable.substring(0, equals), variable.substring(equals + 1));
        }
        var printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true));
        System.setErr(System.out);
        answered = input;
        haltAtEnd(input);
        ThreadUtils.code = 0;
        Main.main(told.subList(1, count).toArray(String[]::new));
        answered = null;
        asked.write(ByteBuffer.wrap(new byte[] {(byte) ThreadUtils.code}));
        asked.write(ByteBuffer.wrap(printed.toByteArray()));
    }

    /** End as a killed program does, when nobody is there any more who waits for the answer. */
    private static void haltAtEnd(InputStream input) {
        var watching = new Thread(() -> {
            try {
                while (input.read() >= 0) { }
            } catch (IOException closed) { }
            if (input == answered || input == System.in) {
                Runtime.getRuntime().halt(137);
            }
        });
        watching.setDaemon(true);
        watching.start();
    }

    /** Return the variables of this process, which can be changed. */
    @SuppressWarnings("unchecked")
    private static Map<String, String> environment() throws ReflectiveOperationException {
        var kept = System.getenv().getClass().getDeclaredField("m");
        kept.setAccessible(true);
        return (Map<String, String>) kept.get(System.getenv());
    }
}

/** Takes the place of Flyway's own, which would end this Java. */
class ThreadUtils {
    static int code;

    static void terminate(int code, AutoCloseable telemetry) throws Exception {
        ThreadUtils.code = code;
        telemetry.close();
    }
}

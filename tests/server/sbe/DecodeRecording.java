import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Decodes recorded messages with the decoders that the reference tool generated from the schema, and prints each
 * field. Arguments: the recording, and a table with a line for each message: number, class, and its fields.
 */
public final class DecodeRecording {
    private DecodeRecording() {}

    public static void main(String[] args) throws Exception {
        byte[] recording = Files.readAllBytes(Path.of(args[0]));
        List<String> table = Files.readAllLines(Path.of(args[1]));
        UnsafeBuffer buffer = new UnsafeBuffer(recording);
        StringBuilder out = new StringBuilder();
        for (int at = 0; at < recording.length; ) {
            int length = buffer.getInt(at, java.nio.ByteOrder.LITTLE_ENDIAN);
            decode(buffer, at + 4, table, out);
            at += length;
        }
        System.out.print(out);
    }

    private static void decode(DirectBuffer buffer, int at, List<String> table, StringBuilder out) throws Exception {
        Object header = Class.forName("exchange_os.MessageHeaderDecoder").getConstructor().newInstance();
        header.getClass().getMethod("wrap", DirectBuffer.class, int.class).invoke(header, buffer, at);
        int template = (int) header.getClass().getMethod("templateId").invoke(header);
        String[] words = null;
        for (String line : table) {
            if (line.startsWith(template + " ")) {
                words = line.split(" ");
            }
        }
        Object message = Class.forName("exchange_os." + words[1] + "Decoder").getConstructor().newInstance();
        message.getClass()
            .getMethod("wrapAndApplyHeader", DirectBuffer.class, int.class, header.getClass())
            .invoke(message, buffer, at, header);
        out.append(words[1]).append(" number=").append(unsigned(message, "number"));
        out.append(" mark=").append(unsigned(message, "mark")).append('\n');
        Object records = message.getClass().getMethod("records").invoke(message);
        Method hasNext = records.getClass().getMethod("hasNext");
        Method next = records.getClass().getMethod("next");
        while ((boolean) hasNext.invoke(records)) {
            next.invoke(records);
            for (int field = 2; field < words.length; field++) {
                out.append(' ').append(words[field]).append('=').append(value(records, words[field]));
            }
            out.append('\n');
        }
    }

    private static String value(Object record, String field) throws Exception {
        for (Method method : record.getClass().getMethods()) {
            if (method.getName().equals(field) && method.getParameterCount() == 0) {
                return unsigned(record, field);
            }
        }
        int length = (int) record.getClass().getMethod(field + "Length").invoke(null);
        Method byteAt = record.getClass().getMethod(field, int.class);
        StringBuilder hex = new StringBuilder();
        for (int index = 0; index < length; index++) {
            hex.append(String.format("%02x", ((Number) byteAt.invoke(record, index)).intValue() & 0xff));
        }
        return hex.toString();
    }

    /** As the bits say; who reads knows which fields have a sign. */
    private static String unsigned(Object record, String field) throws Exception {
        return record.getClass().getMethod(field).invoke(record).toString();
    }
}

"""What Keras computes with the MobileNet of the fixtures, on an input that the test makes too (src/formats/keras/fixtures.test.ts).

AVOCET_FIXTURES=FOLDER python tools/keras_fixture_golden.py writes src/formats/keras/golden/mobilenet.json."""
import base64, json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tf_keras

here = os.path.dirname(os.path.abspath(__file__))
fixtures = os.environ.get("AVOCET_FIXTURES", os.path.join(here, "../../shared/fixtures"))
model = tf_keras.models.load_model(os.path.join(fixtures, "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.h5"), compile=False)
x = ((np.arange(224 * 224 * 3, dtype=np.int64) * 7919 % 2001) / 1000 - 1).astype("f").reshape(1, 224, 224, 3)
y = model.predict(x, verbose=0)
json.dump({"data": base64.b64encode(y.tobytes()).decode()}, open(os.path.join(here, "../src/formats/keras/golden/mobilenet.json"), "w"))
print(y.shape, y.max())
